"""The cores a running process may use."""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path


def pin(pid: int, cores: Collection[int]) -> None:
    """Every thread of the process runs on `cores` from now on; none named means any of ours.

    A thread that begins meanwhile has those of the one that began it: hence twice. One that ends,
    or may not be told, is left as it is: where it runs is a matter of speed.
    """
    allowed = set(cores) or os.sched_getaffinity(0)
    for _ in range(2):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(task.name), allowed)

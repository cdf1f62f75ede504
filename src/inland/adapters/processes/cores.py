"""The cores that a running process may use, and how far it stands back for others."""

import contextlib
import os
import resource
from collections.abc import Callable, Collection
from pathlib import Path

#: The capability to give priority back (CAP_SYS_NICE), and the limit that does as well.
_SYS_NICE, _ANY_NICE = 23, 20
_MOST_NICE = 19


def pin(pid: int, cores: Collection[int]) -> None:
    """Every thread of the process runs on `cores` from now on; none named means any of ours.

    A thread that begins meanwhile has those of the one that began it: hence twice. One that ends,
    or may not be told, is left as it is: where it runs is a matter of speed.
    """
    allowed = set(cores) or os.sched_getaffinity(0)
    _each_thread(pid, lambda thread: os.sched_setaffinity(thread, allowed))


def stand_back(pid: int, nice: int) -> None:
    """Every thread of the process is so much nicer than we are from now on. Where that could not be
    taken back it is left as it is."""
    if may_go_forward():
        to = min(_MOST_NICE, os.getpriority(os.PRIO_PROCESS, 0) + nice)
        _each_thread(pid, lambda thread: os.setpriority(os.PRIO_PROCESS, thread, to))


def _each_thread(pid: int, act: Callable[[int], None]) -> None:
    for _ in range(2):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    act(int(task.name))


def may_go_forward() -> bool:
    """Whether a process of ours may be less nice again."""
    if resource.getrlimit(resource.RLIMIT_NICE)[0] >= _ANY_NICE:
        return True
    status = Path("/proc/self/status").read_text("ascii")
    (held,) = (line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(held, 16) >> _SYS_NICE & 1)

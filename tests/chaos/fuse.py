"""A fuse, which kills the process that laid it just before a step; and what such a process does."""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from inland.adapters.egress.calls import Calls
from inland.adapters.files.disk import Disk, DiskFile

#: What is a step besides SQL: operations on files, calls to a server of keys.
_STEPS: dict[Any, tuple[str, ...]] = {
    Disk: ("open", "rename", "remove", "sync_dir", "make_dir"),
    DiskFile: ("append", "commit", "sync"),
    Path: ("rename", "unlink"),
    os: ("fsync",),
    Calls: ("call",),
}


class Fuse:
    """Counts down, and then kills this very process; without a number it only counts."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left
        self.burnt = 0

    def burn(self, *_: Any) -> None:
        if self.left is not None and self.burnt == self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.burnt += 1

    def lay(self) -> None:
        """Burn at each statement, commit, operation and call from now on, whoever does it."""
        event.listen(Engine, "before_cursor_execute", self.burn)
        event.listen(Engine, "commit", self.burn)
        for kind, names in _STEPS.items():
            for name in names:
                done = getattr(kind, name)

                def burning(*given: Any, done: Any = done, **named: Any) -> Any:
                    self.burn()
                    return done(*given, **named)

                setattr(kind, name, burning)


@dataclass(frozen=True, slots=True)
class Act:
    """What is killed in the middle. `make`: a home for it, with what the laws are to know in files
    beside it; `do`: the act, which lays the fuse once it begins; `broken`: the laws that do not
    hold after it, each as a sentence; `ended`: how the books say it came out, asked last.

    `is_made_anew`: each kill has a home of its own, for part of it is no file. `standing`: what
    must be there meanwhile. `kills`: how many of it are a series.
    """

    make: Callable[[Path], object]
    do: Callable[[Path, Fuse], object]
    broken: Callable[[Path], list[str]]
    ended: Callable[[Path], str]
    is_made_anew: bool = False
    standing: Callable[[], AbstractContextManager[object]] = nullcontext
    kills: int = 50

"""Migrations killed on their way: `python -m tests.chaos.killed_migrations HOME VERSIONS OUT`.

For each statement of the migration of HOME, and each step of the copy before it, a copy of HOME in
OUT is brought forward by a process that is killed just before it. Prints how each one ended.
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - loaded once, here, for all children
from sqlalchemy import Engine, event

from inland.adapters.sql import copies, migrations
from inland.bootstrap.books import database
from tests.fixtures.homes.older import NEXT


class Fuse:
    """Counts down, and then kills this very process."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def burn(self, *_: Any) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def migrate_with(home: Path, fuse: Fuse) -> None:
    """Bring the home forward; the fuse burns at each statement, sync and rename."""
    event.listen(Engine, "before_cursor_execute", fuse.burn)
    event.listen(Engine, "commit", fuse.burn)
    for name in ("_sync", "keep_copy"):
        done = getattr(copies, name)

        def burning(*given: Any, done: Any = done) -> Any:
            fuse.burn()
            return done(*given)

        setattr(copies, name, burning)
    database(home).close()


def main(home: Path, versions: Path, out: Path) -> None:
    """Every step in turn, until a migration ends by itself."""
    migrations.VERSIONS, migrations.REVISION = versions, NEXT
    for steps in count():
        copy = out / str(steps)
        shutil.copytree(home, copy, ignore=shutil.ignore_patterns("tile", "records", "journal"))
        child = os.fork()
        if child == 0:
            migrate_with(copy, Fuse(steps))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        print(steps, ended, flush=True)
        if ended == 0:
            return
        assert ended == -signal.SIGKILL, ended


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:]))

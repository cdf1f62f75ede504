"""The copy that is kept of a SQLite database before its schema changes: the last one, no more."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from inland.domain.errors import Conflict

#: Room that must be left beside a copy and what the change itself writes, in bytes.
SPARE_BYTES = 64 << 20
_FILE_MODE = 0o600


def copy_path(file: Path, revision: str) -> Path:
    """Where the copy of `file` as it was at `revision` is kept."""
    return file.with_name(f"{file.name}.before-{revision}")


def keep_copy(file: Path, revision: str) -> Path:
    """Copy the database in `file`, durably and whole, in place of the last copy.

    Raises Conflict without room for it and for the change: then nothing was touched.
    """
    size, free = file.stat().st_size, shutil.disk_usage(file.parent).free
    needed = 3 * size + SPARE_BYTES  # the copy, the log of a change that rewrites all, the result
    if free < needed:
        why = (
            f"its schema changes, which takes {needed >> 20} MiB of room, and {free >> 20} MiB are"
        )
        raise Conflict(
            "the database", f"{why} free: make room and start again; nothing was changed"
        )
    aside, kept = file.with_name(f"{file.name}.copying"), copy_path(file, revision)
    aside.unlink(missing_ok=True)
    aside.touch(_FILE_MODE)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(aside)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    _sync(aside)
    aside.rename(kept)
    for older in file.parent.glob(f"{file.name}.before-*"):
        if older != kept:
            older.unlink()
    _sync(file.parent)
    return kept


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

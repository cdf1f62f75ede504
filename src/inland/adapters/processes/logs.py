"""A process's log: put aside when it has grown, and its last line, which says why it ended."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

#: A log longer than this is put aside as `.1`, when its process starts or while it runs.
LOG_LIMIT_BYTES = 16 * 1024 * 1024
#: How much of a log's end is read to say why a process ended, and how much of a line is shown.
_TAIL_BYTES = 8192
_WHY_CHARS = 300


def rotate(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Put a log that has grown beyond `limit_bytes` aside, over the one put aside before."""
    try:
        if log.stat().st_size > limit_bytes:
            log.replace(log.with_name(log.name + ".1"))
    except FileNotFoundError:
        pass


def bound(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> bool:
    """As `rotate`, under a process that appends to it all the while; whether it was emptied.

    What it writes between the copy and the cut is lost; without room for a copy, all is.
    """
    try:
        if log.stat().st_size <= limit_bytes:
            return False
        with suppress(OSError):
            shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)
    except FileNotFoundError:
        return False
    return True


def last_line(log: Path, since: int = 0) -> str:
    """The last line with anything in it that was written to `log` after byte `since`."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since, end - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "".join(c if c.isprintable() else " " for c in lines[-1][:_WHY_CHARS]) if lines else ""

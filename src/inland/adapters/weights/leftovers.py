"""Files and folders on their way: locked by who makes them, removed when that one is dead."""

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path


def hold(fd: int) -> None:
    """Mark what `fd` is as under way until `fd` is closed, be it by a kill."""
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path, prefix: str) -> None:
    """Remove what begins with `prefix` in `folder` and is held by nobody; follows no link."""
    for path in folder.iterdir():
        if path.name.startswith(prefix):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                hold(fd)
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
            except BlockingIOError:
                continue
            finally:
                os.close(fd)


def forget(folder: Path, kept_s: float) -> None:
    """Remove the files in `folder` that belong to nothing written to for `kept_s`. Those of one
    thing share their name up to the first dot."""
    newest: dict[str, float] = {}
    found = list(folder.iterdir())
    for path in found:
        stem = path.name.partition(".")[0]
        with suppress(FileNotFoundError):  # another's, just now done with
            newest[stem] = max(newest.get(stem, 0.0), path.lstat().st_mtime)
    for path in found:
        if newest.get(path.name.partition(".")[0], 0.0) < time.time() - kept_s:
            path.unlink(missing_ok=True)

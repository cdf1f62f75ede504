"""`run/lock`: one factory per home. The supervisor takes it and its children inherit it, so it is
free only when the last process of that factory is gone; the file says who the supervisor is."""

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.processes.identity import lives, own_identity
from inland.domain.errors import Conflict

#: How long a new supervisor waits for the children of a dead one to end.
ORPHANS_WAIT_S = 15.0
_RETRY_S = 0.02
_CONTENT_LIMIT_BYTES = 256


@dataclass(frozen=True, slots=True)
class Holder:
    """The supervisor that took the lock, as it wrote itself down."""

    pid: int
    start: int


def read_holder(path: Path) -> Holder | None:
    """Who wrote the lock file last; None when nobody did or it cannot be read."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_CONTENT_LIMIT_BYTES))
        return Holder(int(content["pid"]), int(content["start"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_held(path: Path) -> bool:
    """Whether any process of a factory still has the lock."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(fd)
    finally:
        os.close(fd)


def running(path: Path) -> Holder | None:
    """The live supervisor behind the lock; None when no factory runs there."""
    holder = read_holder(path)
    if holder is None or not lives(holder.pid, holder.start) or not is_held(path):
        return None
    return holder


def take(path: Path, wait_s: float = ORPHANS_WAIT_S) -> int:
    """Take the lock and write this process into it; the descriptor that holds it.

    Raises Conflict at once when a supervisor lives, or after `wait_s` when its orphans do not end.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(fd, path, time.monotonic() + wait_s)
        pid, start = own_identity()
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": pid, "start": start}).encode(), 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def wait_free(path: Path, wait_s: float = ORPHANS_WAIT_S) -> None:
    """Return when no process of an earlier factory is left. Raises Conflict as `take` does."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _wait_for(fd, path, time.monotonic() + wait_s)
    finally:
        os.close(fd)


def _wait_for(fd: int, path: Path, deadline_s: float) -> None:
    while not _try_lock(fd):
        holder, home = read_holder(path), str(path.parent.parent)
        if holder is not None and lives(holder.pid, holder.start):
            raise Conflict(home, f"a factory is already running there (pid {holder.pid})")
        if time.monotonic() > deadline_s:
            raise Conflict(home, "processes of its last run have not ended yet")
        time.sleep(_RETRY_S)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

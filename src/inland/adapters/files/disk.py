"""The real file layer: `ports.files` over a folder of the local disk, private to its user.

Synced means `fdatasync` for bytes and `fsync` for names. A commit is one `pwritev` with
`RWF_DSYNC`: one system call, so a thread waits for the interpreter once, not twice. What is large
goes past the page cache (`past_cache`).
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inland.adapters.files import past_cache
from inland.ports.files import DiskFull, DiskReadOnly, Lock, OpenFile

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_FILE_MODE = 0o600
_DIR_MODE = 0o700
_ZEROS_BYTES = 1 << 20


@contextmanager
def _room_for(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(path) from error
        if error.errno == errno.EROFS:
            raise DiskReadOnly(path) from error
        raise


class DiskFile:
    """An open descriptor and where its appends go."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path
        self._end = os.fstat(fd).st_size

    def append(self, data: bytes | bytearray | memoryview) -> None:
        self._write(data, 0)

    def commit(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) < past_cache.LARGE_BYTES:
            self._write(data, os.RWF_DSYNC)
            return
        with _room_for(self._path):
            done = past_cache.write(self._fd, memoryview(data), self._end)
        self._end += done
        self._write(memoryview(data)[done:], 0)
        self.sync()

    def _write(self, data: bytes | bytearray | memoryview, flags: int) -> None:
        with _room_for(self._path):
            written = os.pwritev(self._fd, [data], self._end, flags)
            while written < len(data):
                rest, at = memoryview(data)[written:], self._end + written
                written += os.pwritev(self._fd, [rest], at, flags)
        self._end += written

    def read(self, offset: int, length: int) -> bytes:
        parts = []
        while length > 0:
            part = os.pread(self._fd, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def read_into(self, offset: int, room: memoryview) -> int:
        at = past_cache.read(self._fd, room, offset)
        while at < len(room) and (got := os.preadv(self._fd, [room[at:]], offset + at)):
            at += got
        return at

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self._end = size

    def overwrite(self) -> None:
        at, size = 0, self.size()
        while at < size:
            at += os.pwrite(self._fd, bytes(min(size - at, _ZEROS_BYTES)), at)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class DiskLock:
    """A `flock`ed descriptor; the kernel lets go of it with the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Disk:
    """The files under `root`, an absolute path."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _at(self, path: str) -> Path:
        return self._root / path

    def open(self, path: str, *, create: bool = False) -> OpenFile:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        with _room_for(path):
            return DiskFile(os.open(self._at(path), flags, _FILE_MODE), path)

    def exists(self, path: str) -> bool:
        return os.path.lexists(self._at(path))

    def list(self, path: str) -> list[str]:
        try:
            return sorted(entry.name for entry in self._at(path).iterdir())
        except FileNotFoundError:
            return []

    def make_dir(self, path: str) -> None:
        with _room_for(path):
            self._at(path).mkdir(_DIR_MODE)

    def rename(self, old: str, new: str) -> None:
        with _room_for(new):
            self._at(old).rename(self._at(new))

    def remove(self, path: str) -> None:
        self._at(path).unlink()

    def remove_dir(self, path: str) -> None:
        self._at(path).rmdir()

    def sync_dir(self, path: str) -> None:
        fd = os.open(self._at(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def lock(self, path: str) -> Lock | None:
        with _room_for(path):
            fd = os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return DiskLock(fd)

    def free_bytes(self) -> int:
        room = os.statvfs(self._root)
        return room.f_bavail * room.f_frsize

"""Who makes a socket, pipe or device where the command may read, though it be gone a moment later.

Source: inotify(7). A folder is watched from before it is looked through, so that nothing falls
between. What was gone before it could be looked at is taken for the worst.
"""

import ctypes
import errno
import os
import stat
import struct
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from inland.adapters.silence.view import listed, special

_CREATED, _MOVED_FROM, _MOVED_TO, _OVERFLOW = 0x100, 0x40, 0x80, 0x4000
_CLOSE_ON_EXEC, _NOT_WAITING = 0o2000000, 0o4000
_HEAD = struct.Struct("iIII")
_BUFFER_BYTES = 1 << 16
#: Whoever else than root can write into a folder: its group, and everybody.
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Over folders, from `add` on. `made`: what was made, empty where nothing was. `unwatched`: how
    many folders that only root writes into had no watch left; any other without one is an OSError.
    """

    def __init__(self) -> None:
        self._fd = int(_libc.inotify_init1(_CLOSE_ON_EXEC | _NOT_WAITING))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no folder can be watched (inotify)")
        self._folders: dict[int, Path] = {}
        self._unknown: Counter[Path] = Counter()
        self._moved: dict[int, Path] = {}
        self._found = ""
        self.unwatched = 0

    def fileno(self) -> int:
        """For a selector: readable when something was made."""
        return self._fd

    def add(self, folder: Path) -> None:
        """Watch a folder, not what is below it. One that is gone meanwhile holds nothing."""
        number = int(_libc.inotify_add_watch(self._fd, bytes(folder), _EVENTS))
        if number >= 0:
            self._folders[number] = folder
            return
        error = ctypes.get_errno()
        if error == errno.ENOSPC and _is_roots(folder):
            self.unwatched += 1
        elif error not in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
            why = f"{folder} cannot be watched: raise fs.inotify.max_user_watches"
            raise OSError(error, why if error == errno.ENOSPC else os.strerror(error))

    def read(self) -> None:
        """Look at what was made. Raises NotListed, OSError."""
        while True:
            try:
                data = os.read(self._fd, _BUFFER_BYTES)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, mask, cookie, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size + length
                name = data[at - length : at].rstrip(b"\0")
                self._look(self._folders.get(number), os.fsdecode(name), mask, cookie)

    def _look(self, folder: Path | None, name: str, mask: int, cookie: int) -> None:
        if mask & _OVERFLOW:
            self._found = self._found or "more than could be looked at"
        if folder is None or not name:
            return
        path = folder / name
        if mask & _MOVED_FROM:
            self._moved[cookie] = path
            return
        try:
            mode = path.lstat().st_mode
        except OSError:
            self._unknown[path] += 1
            return
        if mask & _MOVED_TO:  # what it was before is known now
            self._unknown[self._moved.pop(cookie, path)] -= 1
        if stat.S_ISDIR(mode):
            for one in listed((path,), self.add):
                self._found = self._found or str(one)
        elif not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            self._found = self._found or str(path)

    @property
    def made(self) -> str:
        """What of it, in words."""
        gone = min((+self._unknown).keys(), default=None)
        if self._found or gone is None:
            return self._found
        return f"{gone} (or a plain file: it was gone before it was known)"


_EVENTS = _CREATED | _MOVED_FROM | _MOVED_TO


def _is_roots(folder: Path) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == 0 and not found.st_mode & _OTHERS_WRITE


def watched(watch: Watch, paths: Iterable[Path], without: Collection[Path]) -> tuple[Path, ...]:
    """Sockets, pipes and devices in `paths` but `without`; folders are watched from here on."""
    return tuple(special(paths, watch.add, without))

"""Opening a file that a stranger chose: a plain file with all its bytes, and no way to wait."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.weights.formats.window import Refused

#: No file of weights is larger.
FILE_LIMIT_BYTES = 1 << 42


@dataclass(frozen=True, slots=True)
class Opened:
    """A plain file, open for reading."""

    descriptor: int
    size: int


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The file, which stays the same one whatever its name comes to mean. Refuses what is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise Refused(f"there is no {path}") from None
    except OSError as error:
        link = "is a link; name the file itself" if path.is_symlink() else f"({error.strerror})"
        raise Refused(f"{path} cannot be opened: {link}") from None
    try:
        yield Opened(fd, _plain_size(fd))
    finally:
        os.close(fd)


def _plain_size(fd: int) -> int:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise Refused("is not a plain file")
    if found.st_size > FILE_LIMIT_BYTES:
        raise Refused(f"has {found.st_size} bytes; at most {FILE_LIMIT_BYTES}")
    if found.st_size and _first_hole(fd, found.st_size) < found.st_size:
        raise Refused("has holes: bytes that were never written")
    return found.st_size


def _first_hole(fd: int, size: int) -> int:
    try:
        return os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError:  # a file system that knows of none
        return size
    finally:
        os.lseek(fd, 0, os.SEEK_SET)

"""Past the kernel's page cache: whole pages between memory and the disk, nothing copied or kept.

What is large, and not read again soon, costs the cache more than it is worth: for each page one is
found, cleared or taken from others, and written back later. Where the file system, the disk or the
memory at hand is not made for this, nothing is done here, and the cache has it as ever.
"""

import errno
import os
from collections.abc import Callable

#: Where places in files and memory begin, and in what steps they go on.
PAGE_BYTES = 4096
#: What is worth it.
LARGE_BYTES = 1 << 20
_NOT_MADE_FOR_IT = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT})


def write(fd: int, data: memoryview, at: int) -> int:
    """Write whole pages of `data`, from its beginning, to `at` in an open file: how many bytes that
    were. They are durable with the next sync. Raises OSError."""
    return _moved(fd, os.O_WRONLY, data, at, os.pwrite)


def write_whole(fd: int, data: memoryview, at: int) -> None:
    """Write all of `data` to `at` in an open file, as much as can be past the cache; durable with
    the next sync. Raises OSError."""
    done = write(fd, data, at)
    while done < len(data):
        done += os.pwrite(fd, data[done:], at + done)


def read(fd: int, room: memoryview, at: int) -> int:
    """Read into whole pages of `room` from `at` on in an open file: how many bytes that were, fewer
    at its end too. Raises OSError."""
    return _moved(fd, os.O_RDONLY, room, at, lambda beside, view, to: os.preadv(beside, [view], to))


def _moved(
    fd: int, way: int, view: memoryview, at: int, move: Callable[[int, memoryview, int], int]
) -> int:
    done, whole = 0, len(view) // PAGE_BYTES * PAGE_BYTES
    if at % PAGE_BYTES or whole < LARGE_BYTES:
        return 0
    try:
        beside = os.open(f"/proc/self/fd/{fd}", way | os.O_DIRECT | os.O_CLOEXEC)
        try:
            while done < whole and not done % PAGE_BYTES:
                moved = move(beside, view[done:whole], at + done)
                if not moved:
                    break
                done += moved
        finally:
            os.close(beside)
    except OSError as error:
        if error.errno not in _NOT_MADE_FOR_IT:
            raise
    return done

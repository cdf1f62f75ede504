"""Memory in whole pages of its own, for content on its way: large pages where the kernel has them,
in no core dump, and given back to the kernel, which wipes it, as soon as nobody holds it. `Rooms`
are used again as they are: they hold nothing secret.

The allocator would zero it, mark it, and have the kernel find it 4 KiB by 4 KiB.
"""

import mmap
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LARGE_BYTES = 2 << 20
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def pages(length: int) -> memoryview:
    """At least so many zero bytes: whole pages, from the beginning of one."""
    size = max(-(-length // mmap.PAGESIZE), 1) * mmap.PAGESIZE
    large = size // _LARGE_BYTES * _LARGE_BYTES
    # the kernel begins at a large page what is as long as some of them
    made = mmap.mmap(-1, -(-size // _LARGE_BYTES) * _LARGE_BYTES if large else size, _FLAGS)
    made.madvise(mmap.MADV_DONTDUMP)
    if large:
        with suppress(OSError):  # a kernel without them
            made.madvise(mmap.MADV_HUGEPAGE, 0, large)
    return memoryview(made)[:size]


class Rooms:
    """Pages of one length, of which `most` are kept for the next who wants some. Threads may share
    them; what is left in them stays there."""

    def __init__(self, length: int, most: int) -> None:
        self._length = length
        self._free: deque[memoryview] = deque(maxlen=most)

    @contextmanager
    def one(self) -> Iterator[memoryview]:
        """For the block alone."""
        try:
            room = self._free.pop()
        except IndexError:
            room = pages(self._length)
        yield room
        self._free.append(room)

"""What a process let go of does not stay in its memory: overwritten, or given back to the kernel,
which gives it to nobody unwiped.

It is the GNU library's allocator that does this; with another one, nothing here does anything.
Python's own pools, for objects of at most 512 bytes, are beyond it, and what the library itself
keeps at hand for each thread, of at most a kilobyte.
"""

import ctypes
import gc
from contextlib import suppress

_M_MMAP_THRESHOLD, _M_PERTURB, _M_ARENA_MAX = -3, -6, -8
#: Buffers as large as this are mapped by themselves, and gone at once when they are freed.
_MAPPED_BYTES = 1 << 20
_PATTERN = 0x5A

_libc = ctypes.CDLL(None)


def overwrite_freed() -> None:
    """From now on what is freed is overwritten. Before any thread starts."""
    with suppress(AttributeError):
        for option, value in (
            (_M_ARENA_MAX, 1),  # others' free ends are never given back
            (_M_MMAP_THRESHOLD, _MAPPED_BYTES),
            (_M_PERTURB, _PATTERN),
        ):
            _libc.mallopt(option, value)


def give_up_freed() -> None:
    """What was freed in whole pages is no more in this process' memory; smaller rests may be."""
    gc.collect()
    with suppress(AttributeError):
        _libc.malloc_trim(0)

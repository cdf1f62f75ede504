"""What a process let go of does not stay in its memory: overwritten, or given back to the kernel,
which gives it to nobody unwiped.

It is the GNU library's allocator that does this; with another one, the larger of it stays. What
another thread of the process keeps at hand, of at most a kilobyte, is beyond it.
"""

import ctypes
import gc
from bisect import bisect
from contextlib import suppress
from pathlib import Path

_M_MMAP_THRESHOLD, _M_PERTURB, _M_ARENA_MAX = -3, -6, -8
#: Buffers as large as this are mapped by themselves, and gone at once when they are freed.
_MAPPED_BYTES = 1 << 20
_PATTERN = 0x5A
#: The library's sizes at hand and how many of each at most; those of Python's pools.
_AT_HAND_BYTES, _AT_HAND = range(24, 1033, 16), 7
_POOLED_BYTES, _EMPTY_BYTES = range(512, 33, -16), b"".__sizeof__()
#: Pools are filled in such strides until one lies where this process had no memory before.
_STRIDE, _MOST_STRIDES = 64, 1 << 13

_libc = ctypes.CDLL(None)
_libc.malloc.restype = ctypes.c_void_p
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.free.argtypes = [ctypes.c_void_p]


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
    """What was freed is no more in this process' memory, small rests of it neither."""
    gc.collect()
    _fill_pools()
    _overwrite_at_hand()
    with suppress(AttributeError):
        _libc.malloc_trim(0)


def _fill_pools() -> None:
    """Zeros into every free block of Python's own pools, for objects of at most 512 bytes, of which
    the library knows nothing: none is made anew while one has room."""
    had = _mapped()
    taken: list[list[bytes]] = []
    for size in _POOLED_BYTES:
        for _ in range(_MOST_STRIDES):
            taken.append([bytes(size - _EMPTY_BYTES) for _ in range(_STRIDE)])
            if bisect(had, id(taken[-1][-1])) % 2 == 0:
                break


def _overwrite_at_hand() -> None:
    """What the library keeps at hand for this thread, of each size, which it does not overwrite."""
    taken = [(size, _libc.malloc(size)) for size in _AT_HAND_BYTES for _ in range(_AT_HAND)]
    for size, block in taken:
        if block is not None:
            ctypes.memset(block, 0, size)
    for _, block in taken:
        _libc.free(block)


def _mapped() -> list[int]:
    """Where this process' memory begins and ends, in turn."""
    ends: list[int] = []
    for line in Path("/proc/self/maps").read_text("ascii", "replace").splitlines():
        low, high = (int(end, 16) for end in line.split(maxsplit=1)[0].split("-"))
        if ends and ends[-1] == low:
            ends[-1] = high
        else:
            ends += [low, high]
    return ends

"""A file read from front to end by lengths that it claims itself: none is believed past its end."""

import os
import struct
from dataclasses import dataclass

from inland.domain.errors import InlandError

_BUFFER_BYTES = 1 << 20


@dataclass
class Refused(InlandError):
    """A file that is not taken in, and why."""

    why: str

    def __str__(self) -> str:
        return self.why


class Window:
    """The `size` bytes behind a descriptor. Reading past them is Refused, never short."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self.at = 0
        self._descriptor = descriptor
        self._buffer, self._begins = b"", 0

    @property
    def left(self) -> int:
        """Bytes from here to the end."""
        return self.size - self.at

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes, and past them."""
        self.demand(count, what)
        start = self.at - self._begins
        if start < 0 or start + count > len(self._buffer):
            self._buffer = self._read(max(count, min(_BUFFER_BYTES, self.left)))
            self._begins, start = self.at, 0
        self.at += count
        return self._buffer[start : start + count]

    def skip(self, count: int, what: str) -> None:
        """Past the next `count` bytes."""
        self.demand(count, what)
        self.at += count

    def demand(self, count: int, what: str) -> None:
        """Refuse what would reach past the end."""
        if count > self.left:
            raise Refused(f"{what} reaches past the file's end ({count} bytes, {self.left} left)")

    def u32(self, what: str) -> int:
        """A little-endian integer of four bytes."""
        return int(struct.unpack("<I", self.take(4, what))[0])

    def u64(self, what: str) -> int:
        """A little-endian integer of eight bytes."""
        return int(struct.unpack("<Q", self.take(8, what))[0])

    def _read(self, count: int) -> bytes:
        parts, at = [], self.at
        while count:
            data = os.pread(self._descriptor, count, at)
            if not data:
                raise Refused("the file became shorter while it was read")
            parts.append(data)
            at, count = at + len(data), count - len(data)
        return b"".join(parts)

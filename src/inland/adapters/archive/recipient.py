"""Content sealed for one age recipient, while it comes."""

from collections.abc import Iterator
from typing import BinaryIO

import pyrage
from pyrage.x25519 import Recipient

from inland.domain.errors import BadInput


def demand_recipient(text: str) -> Recipient:
    """An X25519 recipient of age. Raises BadInput."""
    try:
        return Recipient.from_str(text)
    except (pyrage.RecipientError, ValueError):
        raise BadInput("recipient", "give an age recipient: age1…") from None


def seal_for(recipient: str, chunks: Iterator[bytes | memoryview], out: BinaryIO) -> None:
    """Write `chunks` to `out`, sealed. Raises BadInput, and what `chunks` raises."""
    source = _Pulled(chunks)
    try:
        pyrage.encrypt_io(source, out, [demand_recipient(recipient)])
    except Exception:
        if source.error is not None:
            raise source.error from None
        raise


class _Pulled:
    """Chunks as a file that is read; it keeps what went wrong, of which the seal tells nothing."""

    def __init__(self, chunks: Iterator[bytes | memoryview]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._left:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return b""
                self._left = memoryview(chunk)
        except Exception as error:
            self.error = error
            raise
        wanted = len(self._left) if size < 0 else size
        data, self._left = bytes(self._left[:wanted]), self._left[wanted:]
        return data

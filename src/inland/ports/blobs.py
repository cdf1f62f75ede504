"""Blobs: bytes under a name, written once, there whole or not at all.

A folder or an object store. What is put here is ciphertext: nothing in it is secret but how much
there is. Names are `a/b/c` of letters, digits, `-` and `_`. Calls block; threads may share one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from inland.domain.errors import InlandError


@dataclass
class BlobsAway(InlandError):
    """The store does not answer, or answers nonsense; the same call may be made again."""

    why: str

    def __str__(self) -> str:
        return f"the blob store cannot be used: {self.why}"


class Blobs(Protocol):
    """Each call may raise `BlobsAway`; `put` also `ports.files.DiskFull`."""

    def demand(self) -> None:
        """Raises BlobsAway where nothing could be read now."""
        ...

    def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
        """Durable when it returns. The same name may be put again, and then is the new bytes."""
        ...

    def get(self, name: str) -> memoryview | None:
        """All of it, to be changed at will; None where there is none."""
        ...

    def may_err(self, name: str) -> bool:
        """Whether what it shows of that may be right another time: a server answers, no disk."""
        ...

    def remove(self, name: str) -> None:
        """Durably, whether it is there or not; a server that shows it still is away."""
        ...

    def names(self, under: str = "") -> Iterator[str]:
        """The names that begin with `under`, in order."""
        ...

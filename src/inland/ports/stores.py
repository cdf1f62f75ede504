"""Stores: the places where content of assets may lie, each by the name of its place.

All of them together are the blobs that the vault knows. Content goes from one to another sealed as
it is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from inland.domain.places import Place
from inland.ports.blobs import Blobs
from inland.ports.vault import PartName


class Stores(Blobs, Protocol):
    """As `ports.blobs`, over wherever an asset lies; and each by name. A name that is none of
    `places` is away."""

    @property
    def places(self) -> Mapping[str, Place]:
        """Where each stands, by name; the first is where new content goes."""
        ...

    def copy(
        self, part: PartName, is_whole: Callable[[memoryview], bool], source: str, target: str
    ) -> None:
        """Durable in `target`, and read back from there, when it returns; one that is there already
        and `is_whole` is left. Raises Unreadable where what `source` shows is not whole, and what
        `is_whole` raises."""
        ...

    def clear(self, store: str, asset: str, numbers: Iterable[int]) -> None:
        """Nothing of the asset lies there any more when it returns: nothing that is listed, and no
        part of these `numbers`, listed or not."""
        ...

    def holds(self, store: str) -> Iterator[str]:
        """The assets that something lies of there, in order."""
        ...

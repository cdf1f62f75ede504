"""The tables behind an erase: all that it reaches, and how far it is with each.

What an erase still has to do stands here and nowhere else, so that whoever goes on with one that
was cut begins where it was. Written by `plant/erasure_steps` alone.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """How far an erase is with one of the assets it reaches."""

    MET = "met"  # found; what was made of it is not looked for yet
    CLOSED = "closed"  # nobody has any of it; all that was made of it is found
    GONE = "gone"  # its key and its parts are destroyed, and that nothing opens was tried
    CERTIFIED = "certified"  # a record says so
    PASSED = "passed"  # another tenant's, or erased before: only looked through


class ReachTables(Protocol):
    """One transaction's view of every erase under way. `root`: the asset that it is of."""

    def add(self, root: str, asset: str) -> None:
        """Reach one more; one that is there stays as it is."""
        ...

    def add_children(self, root: str, ids: Collection[str], limit: int) -> int:
        """Reach up to `limit` more of what was made directly from `ids`; how many were new."""
        ...

    def at(self, root: str, step: Step, limit: int, *, root_first: bool = True) -> list[str]:
        """Up to `limit` ids that it is that far with; the root's own first of all, or last."""
        ...

    def put(self, root: str, ids: Collection[str], step: Step) -> None:
        """It is that far with each of `ids`."""
        ...

    def count(self, root: str, step: Step) -> int:
        """With how many it is that far."""
        ...

    def standing(self, root: str) -> int:
        """How many of those it only looked through are there still."""
        ...

    def roots(self, asset: str) -> list[str]:
        """The roots of the erases under way that reach an asset."""
        ...

    def remove(self, root: str) -> None:
        """All of an erase that is done."""
        ...

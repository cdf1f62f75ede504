"""The table behind feedback: what it says in words comes sealed. Written by `plant/` and nobody
else."""

from collections.abc import Collection
from typing import Protocol

from inland.domain.feedback import Feedback
from inland.domain.thumbs import Thumb


class FeedbackTable(Protocol):
    """One transaction's view of it: one of each answer of a tenant's."""

    def one(self, tenant: str, receipt: str) -> Feedback | None: ...

    def some(self, tenant: str | None, model: str | None, limit: int) -> list[Feedback]:
        """Of all tenants and models or of one, the newest first."""
        ...

    def count(self, tenant: str) -> int: ...

    def put(self, feedback: Feedback) -> None:
        """Inserts, or replaces what was said of that answer before."""
        ...

    def remove(self, tenant: str, receipt: str) -> None: ...

    def taught(self, books: Collection[str]) -> list[Feedback]:
        """What examples can be made of, the oldest first."""
        ...

    def collected(self, books: Collection[str]) -> None:
        """Nothing in these waits any more."""
        ...

    def empty(self, books: Collection[str]) -> None:
        """Of what rested under these assets' keys nothing is here any more; the thumbs stay."""
        ...

    def thumbs(self, release: str, since_unix_us: int) -> Thumb:
        """Of answers by a release, as far as they were given since."""
        ...

    def said(self, tenant: str, model: str, since_unix_us: int) -> tuple[int, int]:
        """Of how many answers of a model something was said after that, and of how many what can
        be learned from."""
        ...

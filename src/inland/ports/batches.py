"""The tables behind batches. Written by `batches/` and nobody else; what they hold of an answer is
sealed."""

from typing import Protocol

from inland.domain.batches import Answer, Batch


class BatchTables(Protocol):
    """One transaction's view of the batches. `put_*` inserts or replaces by id."""

    def batch(self, batch: str) -> Batch | None: ...

    def batches(self, tenant: str, before: Batch | None, limit: int) -> list[Batch]:
        """Up to `limit` of a tenant's, the newest first; those that are older than `before`."""
        ...

    def under_way(self) -> list[Batch]:
        """Of which something is left to be done, the oldest first."""
        ...

    def put_batch(self, batch: Batch) -> None: ...

    def forget_batches(self, tenant: str, keep: int) -> None:
        """All of a tenant's that are over but the newest `keep`."""
        ...

    def put_answer(self, answer: Answer) -> None: ...

    def answered(self, batch: str, first: int, last: int) -> set[int]:
        """The numbers of the requests from `first` to `last` that have an answer."""
        ...

    def counts(self, batch: str, *, failed: bool) -> tuple[int, int]:
        """How many answers there are that failed, or did not, and how many bytes they have."""
        ...

    def answers(self, batch: str, *, failed: bool, after: int, limit: int) -> list[Answer]:
        """Up to `limit` of these with a number beyond `after`, in order."""
        ...

    def forget_answers(self, batch: str) -> None: ...

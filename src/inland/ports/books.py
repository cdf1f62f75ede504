"""The tables behind the books. Filled by `plant/books.py` and nobody else."""

from typing import Protocol

from inland.ledger.records import Record


class BookTables(Protocol):
    """One transaction's view of the log and the projections over records."""

    def append(self, record: Record) -> int:
        """Put a control-plane or batch record into the site log; its index in the current log."""
        ...

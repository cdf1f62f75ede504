"""The factory's state and its books in one transactional store."""

from contextlib import AbstractContextManager
from typing import Protocol

from inland.ports.assets import AssetTables
from inland.ports.batches import BatchTables
from inland.ports.billing import BillingTables
from inland.ports.books import BookTables
from inland.ports.feedback import FeedbackTable
from inland.ports.lines import LineTables
from inland.ports.reach import ReachTables
from inland.ports.state import StateTables


class Transaction(Protocol):
    """One transaction: all of it is durable when its block ends, or none of it ever was."""

    @property
    def state(self) -> StateTables:
        """The nouns: tenants, keys, models, deployments, replicas, policies, version."""
        ...

    @property
    def books(self) -> BookTables:
        """The log, batches, positions, the id index and usage."""
        ...

    @property
    def billing(self) -> BillingTables:
        """Prices, budgets, and what was spent."""
        ...

    @property
    def assets(self) -> AssetTables:
        """Assets, what is being uploaded, and what is intended with them."""
        ...

    @property
    def reach(self) -> ReachTables:
        """What erases under way reach."""
        ...

    @property
    def lines(self) -> LineTables:
        """Production lines, their runs, steps and logs."""
        ...

    @property
    def batches(self) -> BatchTables:
        """Batches, and what was answered of those under way."""
        ...

    @property
    def feedback(self) -> FeedbackTable:
        """What was said of answers."""
        ...


class Store(Protocol):
    """A change and its log entry are one transaction; writers queue behind one another."""

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A consistent view; writing through it is an error."""
        ...

    def written(self) -> int:
        """How often anything may have been written so far: another number where a view begun after
        it was asked for may differ from one begun before. Asks no database."""
        ...

    def forget(self) -> bool:
        """Keep nothing beside the tables of what was changed or removed in them, as far as the
        database lets this process see to it; False while a reader holds it up."""
        ...

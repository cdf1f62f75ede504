"""A change to the plant: state, version and record in one transaction, then out to the gateways."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from inland.domain.ids import UUID7_RANDOM_BYTES, uuid7
from inland.domain.snapshot import Secrets, Snapshot
from inland.ledger.records import CHANGE, SALT_BYTES, new_record
from inland.plant.snapshots import build_snapshot
from inland.ports.assets import AssetTables
from inland.ports.billing import BillingTables
from inland.ports.clock import Clock, Entropy
from inland.ports.feed import Feed
from inland.ports.lines import LineTables
from inland.ports.secrets import SecretStore
from inland.ports.state import StateTables
from inland.ports.store import Store, Transaction

#: Who changes what `factory.toml` declares.
FACTORY_FILE = "factory.toml"


class Book(Protocol):
    """Puts the record of what was done into the transaction that does it; the record's id."""

    def __call__(self, what: str, subject: str, **details: Any) -> str: ...


class Change:
    """One transaction under way, begun at `unix_s`. `version` is the snapshot's once the block has
    ended."""

    def __init__(self, transaction: Transaction, book: Book, unix_s: int) -> None:
        self.state: StateTables = transaction.state
        self.billing: BillingTables = transaction.billing
        self.assets: AssetTables = transaction.assets
        self.lines: LineTables = transaction.lines
        self.version = transaction.state.version()
        self.unix_s = unix_s
        self.is_made = False
        self._book = book

    def book(self, what: str, subject: str, **details: Any) -> str:
        """Put the record of what the block did into its transaction; the record's id."""
        self.is_made = True
        return self._book(what, subject, **details)

    def touch(self) -> None:
        """Say that gateways must hear of this, though it is no record (a replica's state)."""
        self.is_made = True


class Changes:
    """Makes changes and publishes them. Thread-safe: the store queues writers."""

    def __init__(
        self,
        store: Store,
        feed: Feed,
        secrets: SecretStore,
        clock: Clock,
        entropy: Entropy,
        factory: str,
    ) -> None:
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.secrets = secrets
        self._feed = feed
        self._factory = factory
        self._published = -1

    @contextmanager
    def change(self, who: str) -> Iterator[Change]:
        """A transaction that raises the version and is published when it is durable.

        The block books what it did; one that books nothing changes nothing, and raising rolls
        everything back. `who` is a key's id, or what else caused it. Raises Conflict for a change
        after which the gateways could not be told.
        """
        snapshot = None
        with self.store.write() as transaction:
            now_s = self.clock.unix_us() // 1_000_000
            change = Change(transaction, self._book(transaction, who), now_s)
            yield change
            if change.is_made:
                change.version = transaction.state.raise_version()
                snapshot = build_snapshot(transaction.state, self._factory, transaction.billing)
                self._feed.demand_fits(snapshot, self._secrets_of(snapshot))
        if snapshot is not None:
            self._publish(snapshot)

    @contextmanager
    def act(self, who: str) -> Iterator[tuple[Transaction, Book]]:
        """A transaction, and what books in it: for what gateways need not hear of."""
        with self.store.write() as transaction:
            yield transaction, self._book(transaction, who)

    def note(self, who: str, what: str, subject: str, **details: Any) -> None:
        """Book something that changed no state (a start, a stop)."""
        with self.act(who) as (_, book):
            book(what, subject, **details)

    def wait_in_force(self, version: int) -> None:
        """Block until what `version` took away is taken away everywhere (at most a lease)."""
        self._feed.wait_in_force(version)

    def wait_current(self) -> None:
        """`wait_in_force` for the version in the database: for a change that was made before."""
        with self.store.read() as transaction:
            version = transaction.state.version()
        self.refresh()
        self.wait_in_force(version)

    def snapshot(self) -> Snapshot:
        """The plant's state now."""
        with self.store.read() as transaction:
            return build_snapshot(transaction.state, self._factory, transaction.billing)

    def refresh(self) -> None:
        """Publish what is in the database, if that is not what was published last."""
        with self.store.read() as transaction:
            if transaction.state.version() == self._published:
                return
            snapshot = build_snapshot(transaction.state, self._factory, transaction.billing)
        self._publish(snapshot)

    def _publish(self, snapshot: Snapshot) -> None:
        self._feed.publish(snapshot, self._secrets_of(snapshot))
        self._published = max(self._published, snapshot.version)

    def _secrets_of(self, snapshot: Snapshot) -> Secrets:
        """Those of what is in the snapshot: a change that was refused may have left others."""
        kept = self.secrets.secrets()
        return Secrets(
            {name: key for name, key in kept.record_keys.items() if name in snapshot.tenants},
            {name: key for name, key in kept.upstream_keys.items() if name in snapshot.deployments},
        )

    def _book(self, transaction: Transaction, who: str) -> Book:
        def book(what: str, subject: str, **details: Any) -> str:
            unix_us = self.clock.unix_us()
            record = new_record(
                CHANGE,
                salt=self.entropy(SALT_BYTES),
                unix_us=unix_us,
                id=uuid7(unix_us // 1000, self.entropy(UUID7_RANDOM_BYTES)),
                what=what,
                who=who,
                subject=subject,
                details=details,
            )
            transaction.books.append(record)
            return str(record["id"])

        return book

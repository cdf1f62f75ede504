"""The books as the rest of control has them: opened once, ticked each second, asked at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from inland.ledger.records import Record
from inland.plant.books.booking import Booker
from inland.plant.books.receipts import Receipts
from inland.plant.books.shelves import Shelves
from inland.plant.books.site_log import SiteLog
from inland.ports.books import UsageRow
from inland.ports.clock import Clock, Entropy
from inland.ports.files import Files
from inland.ports.store import Store


class Books:
    """`open` comes first; everything may be called from any thread."""

    def __init__(
        self, files: Files, store: Store, clock: Clock, entropy: Entropy, factory: str
    ) -> None:
        """`factory` names the log: the first part of its origin, a DNS label."""
        self._store = store
        self._log = SiteLog(files, store, clock, entropy, factory)
        self._booker = Booker(files, store, clock, entropy)
        self._shelves = Shelves(files, store)
        self._receipts = Receipts(files, store)
        self._failed: tuple[str, ...] = ()
        self._alone = Lock()  # who books and signs

    def open(self) -> None:
        """Find or begin the site log; nothing can be changed or booked before. Raises Damaged."""
        self._log.open()
        self._booker.open()

    def tick(self) -> None:
        """Book what was synced, sign and publish, remove what is spent. Once a second.

        What it raises is an alarm until a tick goes well: a full disk, a database that refuses.
        """
        try:
            with self._alone:
                self._booker.book()
                if self._log.checkpoint().whole:
                    self._booker.remove_booked()
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            self._failed = (f"books: {type(error).__name__}: {said}",)
            raise
        self._failed = ()

    @property
    def alarms(self) -> tuple[str, ...]:
        """What stops booking, of one writer or of all, a line each; empty while all is well."""
        return (*self._failed, *self._booker.alarms.values())

    def unsettled(self) -> frozenset[str]:
        """As `Booker.unsettled`."""
        return self._booker.unsettled()

    def left(self) -> frozenset[str]:
        """As `Booker.left`."""
        return self._booker.left()

    def damaged(self) -> frozenset[str]:
        """Writers whose booking stopped."""
        return frozenset(self._booker.alarms)

    @property
    def vkey(self) -> str:
        """The one public key an outsider needs, in signed-note form."""
        return self._log.vkey

    def rotate_log_key(self, who: str, why: str) -> str:
        """As `SiteLog.rotate`: returns when the new key has signed the new log's first entry."""
        with self._alone:
            return self._log.rotate(who, why)

    def receipt(self, ref: str, since: int | None = None) -> bytes | None:
        """As `Receipts.get`."""
        return self._receipts.get(ref, since)

    def successor(self, log: str) -> bytes | None:
        """As `Receipts.successor`."""
        return self._receipts.successor(log)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody books or signs meanwhile."""
        with self._alone:
            yield

    def locate(self, ref: str) -> tuple[str | None, Record] | None:
        """As `Shelves.locate`."""
        return self._shelves.locate(ref)

    def export(self, tenant: str) -> Iterator[bytes]:
        """As `Shelves.export`."""
        return self._shelves.export(tenant)

    def between(self, tenant: str, since_unix_s: int, until_unix_s: int) -> Iterator[bytes]:
        """As `Shelves.between`."""
        return self._shelves.between(tenant, since_unix_s, until_unix_s)

    def usage(self, tenant: str | None, since_unix_us: int = 0) -> list[UsageRow]:
        """A row per hour, deployment and key of a tenant (None: of all), from that hour on."""
        with self._store.read() as transaction:
            return list(transaction.books.usage(tenant, since_unix_us // 1_000_000))

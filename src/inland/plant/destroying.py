"""Destroying: a tenant's records of a time that is over go; what they came to stays.

The invoices of their months are kept first, and what they add to usage; then each file of records
is written anew, a tombstone with its entry in each one's place: so trees, checkpoints and every
other receipt stay as they are. It is intended first, and gone on with whatever stops it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from threading import Lock
from typing import Any, Protocol

import msgspec

from inland.decide.residency import Residency
from inland.domain.errors import Busy, Conflict, Denied
from inland.domain.months import month_at
from inland.domain.plant import Key
from inland.ledger.tombstones import Tombstone, is_tombstone
from inland.plant.books import journals
from inland.plant.books.check_destroyed import said_of
from inland.plant.books.shelves import batch_lines
from inland.plant.books.tally import Tally, read_head
from inland.plant.books.volumes import rewrite
from inland.plant.changes import Changes
from inland.plant.invoices import Invoice, kept_form
from inland.plant.tenants import found_tenant
from inland.ports.books import DestroyedVolume, Destruction, TenantBatch
from inland.ports.files import Files

_PAGE = 200
_US = 1_000_000
_RETRY_AFTER_S = 5


class _Whose(msgspec.Struct, gc=False):
    tenant: str
    time: int


_WHOSE = msgspec.json.Decoder(_Whose)


class InvoicesView(Protocol):
    """`plant.invoices.Invoices`, as far as it is asked here."""

    def make(self, tenant: str, month: str) -> Invoice: ...


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What came of it, or would. `record`: the id of the one that says that it is done; empty where
    nothing was. `months`: those whose invoices are kept as they are."""

    tenant: str
    before_unix_s: int
    records: int
    months: tuple[str, ...]
    record: str = ""


@dataclass(slots=True)
class _Volume:
    """What is to go of one file: up to which byte, how many, the hash over their entries, what they
    add to usage."""

    usage: Tally
    end: int = 0
    records: int = 0
    entries: Any = field(default_factory=sha256)


class Destroying:
    """Destroys records of one factory, one time of one tenant at a time."""

    def __init__(
        self,
        files: Files,
        changes: Changes,
        invoices: InvoicesView,
        alone: Callable[[], AbstractContextManager[object]],
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """Under `alone` nobody books. `begin` runs what may take long on a thread of its own."""
        self._files = files
        self._changes = changes
        self._invoices = invoices
        self._alone = alone
        self._begin = begin
        self._one = Lock()
        self._is_cut = True

    def destroy(
        self, who: Key, tenant: str, before_unix_s: int, *, only_tell: bool = False
    ) -> Destroyed:
        """Returns when none of them is left. `only_tell`: change nothing, say what it would be.

        Raises Conflict where a month of it is not closed or a journal holds some still, Denied,
        NotFound, Busy, Damaged.
        """
        found_tenant(self._changes, tenant)
        decided = self._decided(who, tenant)
        with self._turn():
            volumes, months = self._plan(tenant, before_unix_s)
            count = sum(volume.records for volume in volumes.values())
            told = Destroyed(tenant, before_unix_s, count, tuple(sorted(months)))
            invoices = [self._closed(tenant, month) for month in told.months]
            self._refuse_journals(tenant, before_unix_s)
            if only_tell or not count:
                return told
            facts = {"months": list(told.months), **decided}
            intent = self._intend(who.id, told, volumes, invoices, facts)
            return replace(told, record=self._carry_out(intent))

    def step(self) -> None:
        """Go on with what was cut."""
        with self._changes.store.read() as transaction:
            cut = [one for one in transaction.books.destructions() if one.record is None]
        self._is_cut = bool(cut)
        if cut and not self._one.locked():
            self._begin(lambda: self._settle(cut))

    def rests(self) -> bool:
        """As controllers do: nothing was cut."""
        return not self._is_cut

    def _settle(self, cut: list[Destruction]) -> None:
        with self._turn():
            for one in cut:
                self._carry_out(one)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._one.acquire(blocking=False):
            raise Busy("records are being destroyed", _RETRY_AFTER_S)
        try:
            yield
        finally:
            self._one.release()

    def _decided(self, who: Key, tenant: str) -> dict[str, Any]:
        """What allows it, as records say it. Raises Denied."""
        snapshot = self._changes.snapshot()
        verdict = Residency(snapshot).decide_destroy(who.id, tenant)
        if not verdict.allowed:
            raise Denied(f"destroying records of {tenant!r}", verdict.rules, verdict.remedy)
        return {
            "decision": "allow",
            "decided_by": list(verdict.rules),
            "policy": snapshot.policy_digest,
            "snapshot": snapshot.version,
        }

    def _plan(self, tenant: str, before_unix_s: int) -> tuple[dict[str, _Volume], set[str]]:
        """What there is of that time, by writer, and the months it lies in."""
        found: dict[str, _Volume] = {}
        months: set[str] = set()
        for batch in self._batches(tenant):
            for line in batch_lines(self._files, batch):
                if is_tombstone(line):
                    continue
                head = read_head(line)
                if head.time >= before_unix_s * _US:
                    continue
                months.add(month_at(head.time // _US).name)
                volume = found.setdefault(batch.writer, _Volume(Tally(batch.writer)))
                volume.usage.count(head)
                volume.records += 1
                volume.entries.update(sha256(line).digest())
                volume.end = batch.offset + batch.length
        return found, months

    def _batches(self, tenant: str) -> Iterator[TenantBatch]:
        after = 0
        while True:
            with self._changes.store.read() as transaction:
                page = transaction.books.tenant_batches(after, _PAGE, tenant)
            yield from page
            if not page:
                return
            after = page[-1].id

    def _closed(self, tenant: str, month: str) -> Invoice:
        """The invoice of a month that is closed. Raises Conflict."""
        made = self._invoices.make(tenant, month)
        if not made.final:
            why = f"{month} is not closed, its bill would be wrong: say --before {month}-01"
            raise Conflict(f"records of {tenant!r}", why)
        return made

    def _refuse_journals(self, tenant: str, before_unix_s: int) -> None:
        """Raises Conflict where a journal, which only its gateway writes, holds any of them."""
        for writer in journals.writers(self._files):
            for payload in journals.payloads(self._files, writer):
                head = _WHOSE.decode(payload)
                if head.tenant == tenant and head.time < before_unix_s * _US:
                    why = (
                        f"journal {writer} holds some still: its gateway begins another with a "
                        "request a day after this one began, or when it is started again"
                    )
                    raise Conflict(f"records of {tenant!r}", why)

    def _intend(
        self,
        who: str,
        told: Destroyed,
        volumes: dict[str, _Volume],
        invoices: list[Invoice],
        facts: dict[str, Any],
    ) -> Destruction:
        """Book it, and keep what they came to, in one transaction."""
        going = {
            writer: DestroyedVolume(one.end, one.records, one.entries.hexdigest())
            for writer, one in volumes.items()
        }
        destruction = Destruction("", told.tenant, told.before_unix_s, who, going)
        facts |= said_of(destruction)
        with self._changes.act(who) as (transaction, book):
            destruction = replace(
                destruction, id=book("record.intend", told.tenant, act="destroy", **facts)
            )
            transaction.books.put_destruction(destruction)
            for writer, one in volumes.items():
                rows = one.usage.usage()
                transaction.books.keep_usage(destruction.id, writer, rows)
            for invoice in invoices:
                transaction.billing.keep_invoice(told.tenant, invoice.month, kept_form(invoice))
        return destruction

    def _carry_out(self, destruction: Destruction) -> str:
        """Each file by itself, which may be done again; the id of the record that says so."""
        for writer, volume in sorted(destruction.volumes.items()):
            key = (destruction.tenant, writer)
            change = _destroyer(destruction)
            rewrite(self._files, key, volume.end, self._booked(key), change, self._alone)
        with self._changes.act(destruction.who) as (transaction, book):
            facts = {"intent": destruction.id, **said_of(destruction)}
            record = book("record.destroy", destruction.tenant, **facts)
            transaction.books.put_destruction(replace(destruction, record=record))
        return record

    def _booked(self, volume: tuple[str, str]) -> Callable[[], int]:
        def booked() -> int:
            with self._changes.store.read() as transaction:
                found = transaction.books.volumes(volume[1])
            return next(one.bytes for one in found if one.tenant == volume[0])

        return booked


def _destroyer(destruction: Destruction) -> Callable[[bytes], bytes]:
    before_us = destruction.before_unix_s * _US

    def change(line: bytes) -> bytes:
        if is_tombstone(line):
            return line
        head = read_head(line)
        if head.time >= before_us:
            return line
        return Tombstone(sha256(line).digest(), head.id, destruction.id).filling(len(line))

    return change

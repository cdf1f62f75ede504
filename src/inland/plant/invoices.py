"""Invoices: what a tenant's billed records of a month come to. Derived each time, and kept where
records of it were destroyed.

A record belongs to the month of its own `time`, when its request arrived (UTC): one that crosses
midnight is billed where it began.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from inland.decide.pricing import Bill, Line, totals
from inland.domain.budgets import DAY_S
from inland.domain.errors import NotFound
from inland.domain.months import Month, month_of
from inland.domain.pricing import Tokens
from inland.ledger.records import REQUEST
from inland.plant.books.shelves import batch_records
from inland.plant.books.tally import read_head
from inland.plant.turns import Turns
from inland.ports.books import TenantBatch
from inland.ports.clock import Clock
from inland.ports.files import Files
from inland.ports.store import Store

_PAGE = 200
_US = 1_000_000
#: How far a clock that was set back may have stood ahead when a record was made, in seconds.
_CLOCK_S = DAY_S
#: After a month's end, what an answer begun in it may still take beside `limits.answer_s`.
_BOOKED_S = 60


class _Booked(msgspec.Struct):
    time: int


_BOOKED = msgspec.json.Decoder(_Booked)


@dataclass(slots=True)
class Covered:
    """Tenant batches `first` to `last` of a writer, and how many billed records they hold."""

    writer: str
    first: int
    last: int
    records: int


@dataclass(frozen=True, slots=True)
class Invoice:
    """`final`: the month is over and all that belongs to it is booked. `totals`: minor units by
    currency. `entries_sha256`: over the entries of the billed records, in the order of an export.
    """

    tenant: str
    month: str
    from_unix_s: int
    until_unix_s: int
    made_unix_s: int
    final: bool
    lines: tuple[Line, ...]
    totals: dict[str, int]
    records: int
    entries_sha256: str
    covered: tuple[Covered, ...]


class Invoices:
    """Makes invoices. Any number of threads may."""

    def __init__(
        self,
        files: Files,
        store: Store,
        clock: Clock,
        answer_s: float,
        waits: Callable[[], Collection[str]],
    ) -> None:
        """`waits`: what stops booking, or is still to be booked of gateways that are no more."""
        self._files = files
        self._store = store
        self._clock = clock
        self._answer_s = answer_s
        self._waits = waits
        self._turns = Turns("other invoices")

    def make(self, tenant: str, month: str) -> Invoice:
        """The invoice of `month` (YYYY-MM). Raises BadInput, NotFound, Busy, Damaged."""
        during = month_of(month)
        with self._store.read() as transaction:
            if transaction.state.tenant(tenant) is None:
                raise NotFound(f"tenant {tenant!r}")
            kept = transaction.billing.kept_invoice(tenant, during.name)
        if kept is not None:
            return msgspec.convert(kept, Invoice)
        with self._turns.turn():
            return self._made(tenant, during)

    def _made(self, tenant: str, month: Month) -> Invoice:
        began, ends = month.since_unix_s, month.until_unix_s
        with self._store.read() as transaction:
            bill = Bill(transaction.billing.prices())
        now_s = self._clock.unix_us() // _US
        over = now_s >= ends + self._answer_s + _BOOKED_S
        final = over and not self._waits()  # asked first: what is booked later is not read
        count, entries, covered = 0, sha256(), list[Covered]()
        for batch in self._batches(tenant, began):
            billed = 0
            for record in batch_records(self._files, batch):
                head = read_head(record)
                inside = began * _US <= head.time < ends * _US
                if not (inside and head.kind == REQUEST and head.billed):
                    continue
                tokens = Tokens(head.prompt_tokens, head.cached_tokens, head.completion_tokens)
                bill.add(head.deployment or "", head.time, tokens)
                entries.update(sha256(record).digest())
                billed += 1
            count += billed
            if billed:
                _cover(covered, batch, billed)
        lines = tuple(bill.lines())
        return Invoice(
            tenant=tenant,
            month=month.name,
            from_unix_s=began,
            until_unix_s=ends,
            made_unix_s=now_s,
            final=final,
            lines=lines,
            totals=totals(lines),
            records=count,
            entries_sha256=entries.hexdigest(),
            covered=tuple(covered),
        )

    def _batches(self, tenant: str, began: int) -> Iterator[TenantBatch]:
        """Every tenant batch that can hold a record made since; a batch is booked after those."""
        after = 0
        while True:
            with self._store.read() as transaction:
                page = transaction.books.tenant_batches(after, _PAGE, tenant)
            if not page:
                return
            for batch in page:
                if _BOOKED.decode(batch.record).time >= (began - _CLOCK_S) * _US:
                    yield batch
            after = page[-1].id


def kept_form(invoice: Invoice) -> dict[str, Any]:
    """As it is kept, and read again by `make`."""
    made: dict[str, Any] = msgspec.to_builtins(invoice)
    return made


def _cover(covered: list[Covered], batch: TenantBatch, records: int) -> None:
    """Batches of a writer that follow one another are told as one stretch."""
    for last in reversed(covered):
        if last.writer == batch.writer:
            if last.last + 1 == batch.number:
                last.last, last.records = batch.number, last.records + records
                return
            break
    covered.append(Covered(batch.writer, batch.number, batch.number, records))

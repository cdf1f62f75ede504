"""Reports: a month of contracts, minute by minute, made from the records on the books when asked.

A projection: nothing of it is kept. Records are read once for each tenant, as a stream.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from inland.decide.verdicts import Cause, Fact, Minutes, Terms, Verdict, is_fault
from inland.domain.contracts import MINUTE_S, Contract
from inland.domain.errors import Conflict, Damaged
from inland.domain.months import Month, month_at, month_of
from inland.ledger.records import REFUSAL, REQUEST, Record
from inland.plant.turns import Turns
from inland.ports.clock import Clock
from inland.ports.store import Store

#: A request that came this long before a month may still be answered in it: the longest there are.
_BEFORE_S = 86_400
_FACT = msgspec.json.Decoder(Fact)


class RecordsView(Protocol):
    """`plant.books.books.Books`, as far as reports read it."""

    def between(self, tenant: str, since_unix_s: int, until_unix_s: int) -> Iterator[bytes]: ...
    def locate(self, ref: str) -> tuple[str | None, Record] | None: ...


@dataclass(frozen=True, slots=True)
class ContractMonth:
    """One contract in one month: `minutes` in force so far, and the `verdicts` of those exercised,
    in order."""

    contract: Contract
    terms: Terms
    minutes: int
    verdicts: Sequence[Verdict]

    def causes(self) -> Counter[Cause | None]:
        """How many exercised minutes were breached for each cause, and met (None)."""
        return Counter(one.cause for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class Report:
    """What the records say as of `as_of_unix_s`. From `open_unix_s` on there may be more to come:
    requests that came then may not have ended."""

    month: Month
    as_of_unix_s: int
    open_unix_s: int
    contracts: Sequence[ContractMonth]


class Reports:
    """Makes reports, one at a time. `longest_s`: how long a request may wait and be answered."""

    def __init__(self, store: Store, books: RecordsView, clock: Clock, longest_s: int) -> None:
        self._store = store
        self._books = books
        self._clock = clock
        self._longest_s = longest_s
        self._turns = Turns("other reports")

    def month(self, name: str | None, tenant: str | None, deployment: str | None) -> Report:
        """The month of that name (None: this one) of all contracts, or of one tenant or deployment.

        Raises BadInput, Busy, Conflict where records of it were destroyed, or Damaged.
        """
        now_s = self._clock.unix_us() // 1_000_000
        month = month_at(now_s) if name is None else month_of(name)
        with self._store.read() as transaction:
            found = list(transaction.state.contracts(ended=True).values())
        judged = [
            one
            for one in found
            if tenant in {None, one.tenant}
            and deployment in {None, one.deployment}
            and one.since_unix_s < month.until_unix_s
            and (one.until_unix_s is None or one.until_unix_s > month.since_unix_s)
        ]
        with self._turns.turn():
            contracts = [
                one
                for whose in sorted({one.tenant for one in judged})
                for one in self._of(month, now_s, [c for c in judged if c.tenant == whose])
            ]
        return Report(month, now_s, now_s - self._longest_s, contracts)

    def _of(self, month: Month, now_s: int, contracts: list[Contract]) -> list[ContractMonth]:
        """One tenant's, its records read once. Raises Conflict where some are no more."""
        self._refuse_destroyed(month, contracts[0].tenant)
        first = month.since_unix_s // MINUTE_S
        last = min(month.until_unix_s, now_s) // MINUTE_S
        judged = [(one, Minutes(self._terms(one), first, last)) for one in contracts]
        on: dict[str, list[Minutes]] = {}
        for contract, minutes in judged:
            on.setdefault(contract.deployment, []).append(minutes)
        since_s = month.since_unix_s - _BEFORE_S
        for record in self._books.between(contracts[0].tenant, since_s, month.until_unix_s):
            fact = _fact(record)
            if fact.deployment is not None:
                for minutes in on.get(fact.deployment, ()):
                    minutes.add(fact)
            elif is_fault(fact.status):
                for _, minutes in judged:
                    minutes.add(fact)
        return [
            ContractMonth(contract, minutes.terms, len(minutes), tuple(minutes.verdicts()))
            for contract, minutes in judged
        ]

    def _refuse_destroyed(self, month: Month, tenant: str) -> None:
        with self._store.read() as transaction:
            gone = transaction.books.destructions(tenant)
        if any(one.before_unix_s > month.since_unix_s for one in gone):
            why = f"of {month.name} were destroyed: nothing can be said of its contracts any more"
            raise Conflict(f"records of {tenant!r}", why)

    def _terms(self, contract: Contract) -> Terms:
        """As the record that sold it has them. Raises Damaged."""
        located = self._books.locate(contract.id)
        if located is None:
            raise Damaged(f"contract {contract.id}", "the record that sold it is missing")
        known = {name: located[1]["details"][name] for name in _SOLD}
        return Terms(**known, until_unix_s=contract.until_unix_s)


_SOLD = tuple(name for name in Terms.__slots__ if name != "until_unix_s")


def _fact(record: bytes) -> Fact:
    try:
        fact = _FACT.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("a record", f"cannot be read ({error})") from None
    if fact.kind not in {REQUEST, REFUSAL}:
        raise Damaged("a record", f"a {fact.kind} is among a tenant's")
    return fact

"""Refusals of known tenants become records, equal ones folded into one counted record a second."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from inland.ledger import canonical
from inland.ledger.records import REFUSAL, Record, new_record


class Folded(msgspec.Struct, frozen=True):
    """Refusals that differ in nothing worth a record of their own."""

    tenant: str
    key: str
    deployment: str | None
    status: int
    code: str
    rules: tuple[str, ...]
    snapshot: int
    policy: str
    route: str


class Refusals:
    """What was refused since the last flush. Bounded per tenant: beyond it, names are dropped."""

    def __init__(self, per_tenant: int) -> None:
        self._per_tenant = per_tenant
        self._counts: Counter[Folded] = Counter()
        self._distinct: Counter[str] = Counter()

    def add(self, refusal: Folded) -> None:
        """Count one."""
        if refusal not in self._counts:
            if self._distinct[refusal.tenant] >= self._per_tenant:
                refusal = msgspec.structs.replace(refusal, deployment=None, rules=())
            self._distinct[refusal.tenant] += 1
        self._counts[refusal] += 1

    def flush(
        self, new_id: Callable[[], str], salt: Callable[[], bytes], unix_us: int, writer: str
    ) -> list[bytes]:
        """The records' canonical bytes; nothing is left afterwards."""
        counts, self._counts = self._counts, Counter()
        self._distinct.clear()
        return [
            canonical.encode(_record(one, count, new_id(), salt(), unix_us, writer))
            for one, count in counts.items()
        ]


def _record(
    one: Folded, count: int, record_id: str, salt: bytes, unix_us: int, writer: str
) -> Record:
    fields: dict[str, Any] = msgspec.structs.asdict(one)
    fields["rules"] = list(one.rules)
    return new_record(
        REFUSAL, salt=salt, unix_us=unix_us, id=record_id, count=count, writer=writer, **fields
    )

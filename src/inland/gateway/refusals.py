"""Refusals of known tenants become records, equal ones folded into one counted record a second."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from inland.gateway.errors import RATE, Refused
from inland.gateway.rulings import Ruling
from inland.ledger import canonical
from inland.ledger.records import REFUSAL, Record, new_record

#: The status of a request whose caller left before it was begun: refused by nobody.
LEFT = 499


class Folded(msgspec.Struct, frozen=True):
    """Refusals that differ in nothing worth a record of their own.

    `waited_ms`: how long at least one waited whose caller left, to two digits.
    """

    tenant: str
    key: str
    deployment: str | None
    status: int
    code: str
    rules: tuple[str, ...]
    snapshot: int
    policy: str
    route: str
    waited_ms: int = 0


def folded(ruling: Ruling, refused: Refused, route: str) -> Folded:
    """The refusal as it is counted."""
    return Folded(
        tenant=ruling.tenant.id,
        key=ruling.key.id,
        deployment=ruling.deployment.name,
        status=refused.status,
        code=refused.code or refused.type,
        rules=refused.rules,
        snapshot=ruling.snapshot_version,
        policy=ruling.policy_digest,
        route=route,
    )


def left(ruling: Ruling, route: str, waited_s: float) -> Folded:
    """A request whose caller left while it waited, after so long."""
    waited_ms = max(0, int(waited_s * 1000))
    unit = 10 ** max(0, len(str(waited_ms)) - 2)
    gone = Refused(LEFT, RATE, "hung_up", "")
    one = folded(ruling, gone, route)
    return msgspec.structs.replace(one, waited_ms=waited_ms // unit * unit)


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
        self, new_id: Callable[[int], str], salt: Callable[[], bytes], unix_us: int, writer: str
    ) -> list[bytes]:
        """The records' canonical bytes; nothing is left afterwards."""
        counts, self._counts = self._counts, Counter()
        self._distinct.clear()
        return [
            canonical.encode(_record(one, count, new_id(unix_us), salt(), unix_us, writer))
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

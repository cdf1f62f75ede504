"""What a stretch of a journal comes to: its records by tenant, and what they add to usage.

Runs for every record there is, so it does little and does it in few calls.
"""

from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from inland.decide.pricing import price_at
from inland.domain.budgets import DAY_S
from inland.domain.errors import Damaged
from inland.domain.ids import is_name
from inland.domain.pricing import Prices
from inland.ledger.records import REFUSAL, REQUEST
from inland.ports.billing import Spending
from inland.ports.books import UsageRow

_HOUR_US = 3_600_000_000
_ID_HEX = 32


class Head(msgspec.Struct, gc=False):
    """What booking reads of a record; the rest is nobody's business here."""

    kind: str
    id: str
    tenant: str
    writer: str
    time: int
    deployment: str | None = None
    key: str | None = None
    billed: bool = False
    count: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    wasted_tokens_estimated: int = 0


_HEAD = msgspec.json.Decoder(Head)

#: Where in a row of counts each kind of request is counted; then the tokens.
_REQUESTS, _UNBILLED, _REFUSED, _PROMPT, _COMPLETION, _CACHED, _WASTED = range(7)
#: Hour, tenant, deployment, key; and when the price in force had begun.
_UsageKey = tuple[int, str, str, str, int]


@dataclass(slots=True)
class Part:
    """One tenant's records, in order: canonical bytes, ids (16 bytes each)."""

    records: list[bytes] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)

    def entries(self) -> list[bytes]:
        """The records' entries, 32 bytes each."""
        return [sha256(record).digest() for record in self.records]


class Tally:
    """Records of one writer, sorted by tenant, with their usage and what they spent."""

    def __init__(self, writer: str, prices: Prices | None = None) -> None:
        """`prices`: those that hold; a change begins later than what was read before it."""
        self.parts: dict[str, Part] = {}
        self._writer = writer
        self._prices = prices or {}
        self._usage: dict[_UsageKey, list[int]] = {}

    def add(self, record: bytes) -> Head:
        """Take a record's canonical bytes; what was read of them. Raises Damaged."""
        head = read_head(record)
        part = self.parts.get(head.tenant)
        if part is None:
            self._check(head)
            part = self.parts[head.tenant] = Part()
        if head.writer != self._writer:
            self._check(head)
        part.records.append(record)
        part.ids.append(id_bytes(head.id))
        self.count(head)
        return head

    def count(self, head: Head) -> None:
        """Add a record to usage: only billed ones count tokens."""
        hour = head.time // _HOUR_US * 3600
        deployment, price_unix_s = head.deployment or "", 0
        if deployment in self._prices and head.billed:
            price = price_at(self._prices[deployment], head.time)
            price_unix_s = 0 if price is None else price.since_unix_s
        key = (hour, head.tenant, deployment, head.key or "", price_unix_s)
        row = self._usage.get(key)
        if row is None:
            row = self._usage[key] = [0] * 7
        if head.kind == REFUSAL:
            row[_REFUSED] += head.count
        elif head.billed:
            row[_REQUESTS] += 1
            row[_PROMPT] += head.prompt_tokens
            row[_COMPLETION] += head.completion_tokens
            row[_CACHED] += head.cached_tokens
        else:
            row[_UNBILLED] += 1
        row[_WASTED] += head.wasted_tokens_estimated

    def usage(self) -> list[UsageRow]:
        """What the records add, a row per hour, tenant, deployment and key."""
        rows: dict[tuple[int, str, str, str], list[int]] = {}
        for (hour, tenant, deployment, key, _), counts in self._usage.items():
            names = (hour, tenant, deployment, key)
            rows[names] = _sum(rows.get(names, [0] * 7), counts)
        return [UsageRow(*names, *counts) for names, counts in rows.items()]

    def spending(self) -> list[Spending]:
        """What the billed ones of them spent, a row per day, key, deployment and price."""
        rows: dict[_UsageKey, list[int]] = {}
        for (hour, tenant, deployment, key, price), counts in self._usage.items():
            if counts[_REQUESTS]:
                names = (hour - hour % DAY_S, tenant, deployment, key, price)
                tokens = [counts[_PROMPT], counts[_CACHED], counts[_COMPLETION]]
                rows[names] = _sum(rows.get(names, [0] * 3), tokens)
        return [
            Spending(day, tenant, key, deployment, self._writer, price, *tokens)
            for (day, tenant, deployment, key, price), tokens in rows.items()
        ]

    def _check(self, head: Head) -> None:
        if not is_name(head.tenant):
            raise Damaged(f"record {head.id}", "its tenant's name is none")
        if head.writer != self._writer:
            raise Damaged(f"record {head.id}", f"written by {head.writer}, not {self._writer}")


def _sum(one: list[int], two: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, two, strict=True)]


def read_head(record: bytes) -> Head:
    """What booking needs of a request's or refusal's bytes. Raises Damaged."""
    try:
        head = _HEAD.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("a record", f"cannot be read ({error})") from None
    if head.kind not in (REQUEST, REFUSAL):
        raise Damaged(f"record {head.id}", f"a {head.kind} does not belong into a journal")
    return head


def id_bytes(record_id: str) -> bytes:
    """The 16 bytes of a UUID as text. Raises Damaged."""
    try:
        raw = bytes.fromhex(record_id.replace("-", ""))
    except ValueError:
        raw = b""
    if len(raw) * 2 != _ID_HEX:
        raise Damaged(f"record {record_id}", "its id is no UUID")
    return raw

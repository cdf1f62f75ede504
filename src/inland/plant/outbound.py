"""What goes out of the factory, on the books: each way out when it is first used, then its count.

A way is an endpoint, why it is connected to, by which rules, and by which of the factory's
processes. Its first use in a period is a record at once; the others are one record at its end.
A kill loses at most that count, never that the way was used.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple, Protocol

from inland.ledger import canonical
from inland.plant.changes import Changes

EGRESS_USE = "egress.use"
#: The name that gateways count by, among their metrics, and its labels.
COUNTED, LABELS = "connections_out", ("endpoint", "why", "rules")
#: How long uses of one way are folded, in seconds.
PERIOD_S = 3600
#: Entries of the site log that a list looks back on, and how many are read at a time.
LOOKED, READ = 200_000, 5_000
CONTROL = "control"
_MARK = f'"what":"{EGRESS_USE}"'.encode()


class Way(NamedTuple):
    """`rules`: the ids that let it pass, a space between; none: it was refused."""

    who: str
    endpoint: str
    why: str
    rules: str


class Life(Protocol):
    """One life of a gateway, and what it counted: now, and when it was first heard of."""

    @property
    def gateway(self) -> str: ...
    @property
    def writer(self) -> str: ...
    @property
    def metrics(self) -> dict[str, Any] | None: ...
    @property
    def found(self) -> dict[str, Any] | None: ...


#: What a process counted, by endpoint, reason and rules.
Counts = Mapping[tuple[str, str, str], int]


@dataclass(slots=True)
class Used:
    """A way and how often it was used between two times, in Unix seconds."""

    way: Way
    count: int
    since_unix_s: int
    last_unix_s: int


class Outbound:
    """One of it, stepped by control."""

    def __init__(
        self, changes: Changes, heard: Callable[[], Iterable[Life]], own: Callable[[], Counts]
    ) -> None:
        """`heard`: gateways; `own`: what control itself counted."""
        self._changes = changes
        self._heard = heard
        self._own = own
        self._seen: dict[tuple[str, Way], int] = {}
        self._folded: dict[Way, Used] = {}
        self._lock = Lock()

    def step(self) -> None:
        """Book what is new, and what has been folded for long enough."""
        now = self._now()
        with self._lock:
            for life, way, count in self._counted():
                more = count - self._seen.get((life, way), 0)
                if more > 0:
                    self._use(way, more, now)
                    self._seen[(life, way)] = count
            for way, one in list(self._folded.items()):
                if now - one.since_unix_s >= PERIOD_S:
                    self._fold(way)

    def close(self) -> None:
        """Book what is folded: there is no later."""
        self.step()
        with self._lock:
            for way in list(self._folded):
                self._fold(way)

    def uses(self) -> list[Used]:
        """Every way used in the last `LOOKED` entries of the site log, and what is not booked."""
        found: dict[Way, Used] = {}
        with self._lock:
            for one in (*self._booked(), *self._folded.values()):
                if not one.count:
                    continue
                sum_ = found.setdefault(one.way, Used(one.way, 0, one.since_unix_s, 0))
                sum_.count += one.count
                sum_.since_unix_s = min(sum_.since_unix_s, one.since_unix_s)
                sum_.last_unix_s = max(sum_.last_unix_s, one.last_unix_s)
        return sorted(found.values(), key=lambda one: one.way)

    def _now(self) -> int:
        return self._changes.clock.unix_us() // 1_000_000

    def _counted(self) -> Iterator[tuple[str, Way, int]]:
        for labels, count in self._own().items():
            yield CONTROL, Way(CONTROL, *labels), count
        for life in self._heard():
            before = _series(life.found)
            for labels, count in _series(life.metrics).items():
                yield life.writer, Way(life.gateway, *labels), count - before.get(labels, 0)

    def _use(self, way: Way, count: int, now: int) -> None:
        one = self._folded.get(way)
        if one is None:
            self._book(way, count, now, now)
            self._folded[way] = Used(way, 0, now, now)
            return
        one.count += count
        one.last_unix_s = now

    def _fold(self, way: Way) -> None:
        one = self._folded[way]
        if one.count:
            self._book(way, one.count, one.since_unix_s, one.last_unix_s)
        del self._folded[way]

    def _book(self, way: Way, count: int, since: int, last: int) -> None:
        details = {
            "why": way.why,
            "rules": way.rules.split(),
            "count": count,
            "since_unix_s": since,
            "last_unix_s": last,
        }
        self._changes.note(way.who, EGRESS_USE, way.endpoint, **details)

    def _booked(self) -> Iterator[Used]:
        with self._changes.store.read() as transaction:
            books = transaction.books
            log = books.current_log()
            size = 0 if log is None else books.log_size(log.number)
            for start in range(max(0, size - LOOKED), size, READ):
                assert log is not None
                for one in books.log_records(log.number, start, min(start + READ, size)):
                    if _MARK in one.record:
                        yield _used(canonical.decode(one.record))


def _used(record: dict[str, Any]) -> Used:
    details = record["details"]
    rules = " ".join(details["rules"])
    way = Way(record["who"], record["subject"], details["why"], rules)
    return Used(way, details["count"], details["since_unix_s"], details["last_unix_s"])


def _series(metrics: dict[str, Any] | None) -> dict[tuple[str, str, str], int]:
    told = (metrics or {}).get("counters", {}).get(COUNTED, {}).get("series", [])
    return {(str(one[0]), str(one[1]), str(one[2])): int(count) for one, count in told}

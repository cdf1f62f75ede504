"""What every request of one gateway uses: clock, randomness, journal, engines, counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inland.domain.ids import UUID7_RANDOM_BYTES, uuid7
from inland.domain.limits import Limits
from inland.domain.plant import EngineKind
from inland.gateway.budgets import Budgets
from inland.gateway.metrics import Metrics
from inland.gateway.refusals import Refusals
from inland.gateway.salts import Salts
from inland.ledger.frames import FrameKind
from inland.ledger.records import SALT_BYTES
from inland.ports.clock import Clock, Entropy
from inland.ports.engine import Engine

_DRAW_BYTES = 4096


class Journal(Protocol):
    """`adapters.files.journal.JournalWriter`: `done` runs on the loop once `payload` is durable."""

    def append(self, kind: FrameKind, payload: bytes, done: Callable[[], None]) -> None: ...

    def healthy(self) -> bool: ...


class Randomness:
    """Random bytes drawn in bulk: one system call serves many requests."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._bytes = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """`count` bytes that nobody got before."""
        end = self._at + count
        if end > len(self._bytes):
            self._bytes, self._at, end = self._entropy(_DRAW_BYTES), 0, count
        taken, self._at = self._bytes[self._at : end], end
        return taken


@dataclass(slots=True)
class Bodies:
    """Bytes of the requests that wait or run, in all and by tenant."""

    total: int = 0
    by_tenant: dict[str, int] = field(default_factory=dict)

    def has_room(self, tenant: str, size: int, most: int) -> bool:
        """Whether a tenant may hold so many more: no more than are left to others."""
        return not self.total or self.by_tenant.get(tenant, 0) + size <= most - self.total

    def add(self, tenant: str, size: int) -> None:
        """It holds more, or less where that is below 0."""
        self.total += size
        self.by_tenant[tenant] = self.by_tenant.get(tenant, 0) + size
        if not self.by_tenant[tenant]:
            del self.by_tenant[tenant]


@dataclass(slots=True)
class Shared:
    """Handed to every request."""

    limits: Limits
    clock: Clock
    randomness: Randomness
    journal: Journal
    engines: Mapping[EngineKind, Engine]
    lease_ok: Callable[[], bool]
    writer: str
    refusals: Refusals
    salts: Salts
    budgets: Budgets
    metrics: Metrics = field(default_factory=Metrics)
    #: Why control and this gateway do not fit each other; empty where they do.
    differs: Callable[[], str] = str
    #: What opens the log of a deployment's lane, where somebody asked for logs.
    lane_logs: Callable[[str], Callable[[bytes], None] | None] | None = None
    bodies: Bodies = field(default_factory=Bodies)

    def new_id(self, unix_us: int) -> str:
        """The id of a record of that time."""
        return uuid7(unix_us // 1000, self.randomness.take(UUID7_RANDOM_BYTES))

    def salt(self) -> bytes:
        """A record's salt."""
        return self.randomness.take(SALT_BYTES)

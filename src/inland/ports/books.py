"""The tables behind the books: the site log, batches, positions, the id index, usage.

Filled by `plant/books/` and nobody else, save for `append`, by which every change is logged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from inland.ledger.records import Record


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A log's newest signed head: `note` over `size` entries with `root` (32 bytes)."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Log:
    """A site log. The highest `number` is the one that grows. `public_key`: 32 bytes, Ed25519."""

    number: int
    origin: str
    public_key: bytes
    checkpoint: StoredCheckpoint | None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record of the site log and where its entry stands."""

    log: int
    index: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """How far a writer is booked: `booked` bytes of its stream, `batches` made of them.

    `damage`: why booking it stopped; None while all is well. `gone`: its journal was removed whole.
    """

    writer: str
    booked: int = 0
    batches: int = 0
    damage: str | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """`records/TENANT/WRITER.jsonl`: its booked bytes, records and tenant batches."""

    tenant: str
    writer: str
    bytes: int = 0
    records: int = 0
    batches: int = 0


@dataclass(frozen=True, slots=True)
class TenantBatch:
    """One tenant's part of a batch, described by `record` (canonical bytes).

    `id` rises with booking. `batch` is the batch's number at its writer, `position` its place in
    the batch's tree. Its `count` records are `length` bytes from `offset` of the tenant's volume.
    """

    id: int
    tenant: str
    writer: str
    number: int
    batch: int
    position: int
    count: int
    offset: int
    length: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is: the tenant batch it is in, and its index there."""

    batch: TenantBatch
    index: int


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one key used of one deployment in one hour (`hour_unix_s`, its start).

    `requests` were billed and alone count tokens; `unbilled` ended without a bill (failed,
    interrupted); `refused` never ran. `wasted_tokens_estimated` are estimates and billed to nobody.
    """

    hour_unix_s: int
    tenant: str
    deployment: str
    key: str
    requests: int = 0
    unbilled: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    wasted_tokens_estimated: int = 0


@dataclass(frozen=True, slots=True)
class DestroyedVolume:
    """What is destroyed of a tenant's volume: all of that time in its first `end` bytes. `records`:
    how many; `entries_sha256`: the hash over their entries, in order, in hex."""

    end: int
    records: int
    entries_sha256: str


@dataclass(frozen=True, slots=True)
class Destruction:
    """Records of a tenant from before a time that were destroyed, by writer. `id`: of the record
    that intended it; `record`: of the one that says it is done, None while it is not."""

    id: str
    tenant: str
    before_unix_s: int
    who: str
    volumes: dict[str, DestroyedVolume]
    record: str | None = None


class BookTables(Protocol):
    """One transaction's view of the log and the projections over records."""

    # the site log
    def append(self, record: Record) -> int:
        """Put a control-plane or batch record into the site log; its index in the current log.

        Raises Malformed: it is larger than a record may be, so nobody could read it again.
        """
        ...

    def open_log(self, origin: str, public_key: bytes) -> Log:
        """Make a new log the one that grows."""
        ...

    def current_log(self) -> Log | None: ...
    def logs(self) -> list[Log]: ...

    def log_size(self, log: int) -> int: ...

    def entries(self, log: int, start: int, stop: int) -> list[bytes]:
        """Entries `start` up to `stop`, 32 bytes each, fewer where the log ends."""
        ...

    def log_records(self, log: int, start: int, stop: int) -> list[LogRecord]:
        """As `entries`, with their records."""
        ...

    def enter_again(self, old: int, start: int) -> None:
        """Move what `old` has from `start` on to the end of the current log."""
        ...

    def put_checkpoint(self, log: int, checkpoint: StoredCheckpoint) -> None: ...

    def log_record(self, ref: str) -> LogRecord | None:
        """By a change's id, or by `batch_ref`."""
        ...

    # booking
    def positions(self) -> dict[str, Position]: ...
    def put_position(self, position: Position) -> None: ...
    def volumes(self, writer: str | None = None) -> list[Volume]: ...
    def put_volumes(self, volumes: Sequence[Volume]) -> None: ...
    def next_tenant_batch(self) -> int: ...

    def put_tenant_batches(self, batches: Sequence[TenantBatch]) -> None: ...

    def put_ids(self, batch: int, ids: Sequence[bytes]) -> None:
        """Index a tenant batch's record ids (16 bytes each), in order.

        Raises Damaged for one that was booked before.
        """
        ...

    def add_usage(self, rows: Sequence[UsageRow]) -> None: ...

    def put_destruction(self, destruction: Destruction) -> None:
        """Insert it, or replace the one of its id."""
        ...

    def keep_usage(self, destruction: str, writer: str, rows: Sequence[UsageRow]) -> None:
        """What is destroyed of a writer's had come to."""
        ...

    # reading
    def place(self, record_id: bytes) -> Place | None: ...

    def indexed(self, ids: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
        """Which of `ids` are indexed: under which tenant batch, at which index."""
        ...

    def id_count(self) -> int: ...

    def span(self, first: bytes, end: bytes) -> tuple[int, int] | None:
        """The first and the last tenant batch of ids from `first` up to `end`, None without any."""
        ...

    def batch(self, writer: str, number: int) -> list[TenantBatch]:
        """A batch's tenant batches, in the order of its tree."""
        ...

    def tenant_batches(self, after: int, limit: int, tenant: str | None) -> list[TenantBatch]:
        """Up to `limit` of them with an id above `after`, in order, all tenants' or one's."""
        ...

    def destructions(self, tenant: str | None = None) -> list[Destruction]:
        """Those there were, of all tenants or of one, the oldest first."""
        ...

    def kept_usage(self, destruction: str, writer: str) -> list[UsageRow]: ...

    def usage(self, tenant: str | None, since_unix_s: int) -> Iterator[UsageRow]:
        """Hours that end after `since_unix_s`, in order."""
        ...


def batch_ref(writer: str, number: int) -> str:
    """How a batch record is found in the log: no record id looks like it."""
    return f"{writer}:{number}"

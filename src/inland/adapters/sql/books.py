"""The books in SQL: the site log, positions, volumes, batches, the id index and usage.

Only plain SQL that SQLite and PostgreSQL share. Rows come by the thousand a second, so they are
written many at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from inland.adapters.sql.schema_base import Int64, metadata
from inland.adapters.sql.upsert import upsert
from inland.domain.errors import Damaged
from inland.ledger.canonical import MAX_RECORD_BYTES, Malformed, encode, entry
from inland.ledger.records import BATCH, Record
from inland.ports.books import (
    DestroyedVolume,
    Destruction,
    Log,
    LogRecord,
    Place,
    Position,
    StoredCheckpoint,
    TenantBatch,
    UsageRow,
    Volume,
    batch_ref,
)

#: Values in one `IN (...)`; SQLite takes at most 32,766 parameters.
_CHUNK = 5000

LOGS = Table(
    "logs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("origin", String, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("checkpoint_size", Int64, nullable=True),
    Column("checkpoint_root", LargeBinary, nullable=True),
    Column("checkpoint", Text, nullable=True),
)
#: `ref`: a change's id, or `batch_ref`.
LOG_ENTRIES = Table(
    "log_entries",
    metadata,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("index", Int64, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("ref", String, nullable=False, unique=True),
    Column("record", LargeBinary, nullable=False),
)
POSITIONS = Table(
    "positions",
    metadata,
    Column("writer", String, primary_key=True),
    Column("booked", Int64, nullable=False),
    Column("batches", Int64, nullable=False),
    Column("damage", Text, nullable=True),
    Column("gone", Boolean, nullable=False),
)
VOLUMES = Table(
    "volumes",
    metadata,
    Column("writer", String, primary_key=True),
    Column("tenant", String, primary_key=True),
    Column("bytes", Int64, nullable=False),
    Column("records", Int64, nullable=False),
    Column("batches", Int64, nullable=False),
)
TENANT_BATCHES = Table(
    "tenant_batches",
    metadata,
    Column("id", Int64, primary_key=True, autoincrement=False),
    Column("tenant", String, nullable=False),
    Column("writer", String, nullable=False),
    Column("number", Int64, nullable=False),
    Column("batch", Int64, nullable=False),
    Column("position", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("offset", Int64, nullable=False),
    Column("length", Int64, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("ix_tenant_batches_tenant_id", "tenant", "id"),
    Index("ix_tenant_batches_writer_batch", "writer", "batch", "position", unique=True),
)
#: `id`: the 16 bytes of the record's UUID, which rise with time, so rows go in near the end.
RECORD_IDS = Table(
    "record_ids",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("batch", Int64, nullable=False),
    Column("index", Integer, nullable=False),
    sqlite_with_rowid=False,
)
_COUNTS = (
    "requests",
    "unbilled",
    "refused",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "wasted_tokens_estimated",
)
USAGE = Table(
    "usage",
    metadata,
    Column("hour_unix_s", Int64, primary_key=True, autoincrement=False),
    Column("tenant", String, primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("key", String, primary_key=True),
    *(Column(name, Int64, nullable=False) for name in _COUNTS),
)
#: `volumes`: `ports.books.DestroyedVolume` by writer.
DESTRUCTIONS = Table(
    "destructions",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("before_unix_s", Int64, nullable=False),
    Column("who", String, nullable=False),
    Column("volumes", JSON, nullable=False),
    Column("record", String, nullable=True),
)
#: What destroyed records had added to `usage`.
KEPT_USAGE = Table(
    "kept_usage",
    metadata,
    Column("destruction", String, primary_key=True),
    Column("writer", String, primary_key=True),
    Column("hour_unix_s", Int64, primary_key=True, autoincrement=False),
    Column("tenant", String, primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("key", String, primary_key=True),
    *(Column(name, Int64, nullable=False) for name in _COUNTS),
)

_PUT_POSITION = upsert(POSITIONS)
_PUT_VOLUME = upsert(VOLUMES)
_USAGE_COLUMNS = [KEPT_USAGE.c[column.name] for column in USAGE.columns]
_ADD_USAGE = upsert(USAGE, add=True)


class SqlBooks:
    """`ports.books.BookTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # the site log

    def append(self, record: Record) -> int:
        log = self.current_log()
        assert log is not None, "the site log is opened before anything is changed"
        data = encode(record)
        if len(data) > MAX_RECORD_BYTES:
            raise Malformed("record", f"{len(data)} bytes is more than {MAX_RECORD_BYTES}")
        is_batch = record["kind"] == BATCH
        ref = batch_ref(record["writer"], record["number"]) if is_batch else record["id"]
        index = self.log_size(log.number)
        self._connection.execute(
            insert(LOG_ENTRIES),
            {"log": log.number, "index": index, "entry": entry(data), "ref": ref, "record": data},
        )
        return index

    def open_log(self, origin: str, public_key: bytes) -> Log:
        current = self.current_log()
        log = Log(current.number + 1 if current else 0, origin, public_key, None)
        self._connection.execute(
            insert(LOGS), {"number": log.number, "origin": origin, "public_key": public_key}
        )
        return log

    def current_log(self) -> Log | None:
        query = select(LOGS).order_by(LOGS.c.number.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _log(row)

    def logs(self) -> list[Log]:
        return [_log(row) for row in self._connection.execute(select(LOGS).order_by(LOGS.c.number))]

    def log_size(self, log: int) -> int:
        highest = select(func.max(LOG_ENTRIES.c.index)).where(LOG_ENTRIES.c.log == log)
        index: int | None = self._connection.execute(highest).scalar_one()
        return 0 if index is None else index + 1

    def entries(self, log: int, start: int, stop: int) -> list[bytes]:
        query = _range(select(LOG_ENTRIES.c.entry), log, start, stop)
        return list(self._connection.execute(query).scalars())

    def log_records(self, log: int, start: int, stop: int) -> list[LogRecord]:
        columns = select(LOG_ENTRIES.c.log, LOG_ENTRIES.c.index, LOG_ENTRIES.c.record)
        rows = self._connection.execute(_range(columns, log, start, stop))
        return [LogRecord(*row) for row in rows]

    def enter_again(self, old: int, start: int) -> None:
        current = self.current_log()
        assert current is not None
        by = self.log_size(current.number) - start
        self._connection.execute(
            update(LOG_ENTRIES)
            .where(LOG_ENTRIES.c.log == old, LOG_ENTRIES.c.index >= start)
            .values(log=current.number, index=LOG_ENTRIES.c.index + by)
        )

    def put_checkpoint(self, log: int, checkpoint: StoredCheckpoint) -> None:
        self._connection.execute(
            update(LOGS)
            .where(LOGS.c.number == log)
            .values(
                checkpoint_size=checkpoint.size,
                checkpoint_root=checkpoint.root,
                checkpoint=checkpoint.note,
            )
        )

    def log_record(self, ref: str) -> LogRecord | None:
        query = select(LOG_ENTRIES.c.log, LOG_ENTRIES.c.index, LOG_ENTRIES.c.record)
        row = self._connection.execute(query.where(LOG_ENTRIES.c.ref == ref)).one_or_none()
        return None if row is None else LogRecord(*row)

    # booking

    def positions(self) -> dict[str, Position]:
        return {row.writer: Position(*row) for row in self._connection.execute(select(POSITIONS))}

    def put_position(self, position: Position) -> None:
        self._connection.execute(_PUT_POSITION, asdict(position))

    def volumes(self, writer: str | None = None) -> list[Volume]:
        query = select(VOLUMES).order_by(VOLUMES.c.writer, VOLUMES.c.tenant)
        if writer is not None:
            query = query.where(VOLUMES.c.writer == writer)
        return [Volume(**row) for row in self._connection.execute(query).mappings()]

    def put_volumes(self, volumes: Sequence[Volume]) -> None:
        self._connection.execute(_PUT_VOLUME, [asdict(volume) for volume in volumes])

    def next_tenant_batch(self) -> int:
        highest = self._connection.execute(select(func.max(TENANT_BATCHES.c.id))).scalar_one()
        return 1 if highest is None else highest + 1

    def put_tenant_batches(self, batches: Sequence[TenantBatch]) -> None:
        self._connection.execute(insert(TENANT_BATCHES), [asdict(batch) for batch in batches])

    def put_ids(self, batch: int, ids: Sequence[bytes]) -> None:
        rows = [(key, batch, index) for index, key in enumerate(ids)]
        try:
            self._put_ids(rows)
        except IntegrityError as error:
            raise Damaged(f"tenant batch {batch}", "a record id was booked before") from error

    def _put_ids(self, rows: list[tuple[bytes, int, int]]) -> None:
        """As the driver takes them: a row a request is too many to be named and typed each."""
        compiled = insert(RECORD_IDS).compile(dialect=self._connection.dialect)
        names = RECORD_IDS.columns.keys()
        given = rows if compiled.positional else [dict(zip(names, r, strict=True)) for r in rows]
        self._connection.exec_driver_sql(str(compiled), given)

    def add_usage(self, rows: Sequence[UsageRow]) -> None:
        self._connection.execute(_ADD_USAGE, [asdict(row) for row in rows])

    def put_destruction(self, destruction: Destruction) -> None:
        gone = delete(DESTRUCTIONS).where(DESTRUCTIONS.c.id == destruction.id)
        self._connection.execute(gone)
        self._connection.execute(insert(DESTRUCTIONS), asdict(destruction))

    def keep_usage(self, destruction: str, writer: str, rows: Sequence[UsageRow]) -> None:
        names = {"destruction": destruction, "writer": writer}
        self._connection.execute(insert(KEPT_USAGE), [names | asdict(row) for row in rows])

    # reading

    def destructions(self, tenant: str | None = None) -> list[Destruction]:
        query = select(DESTRUCTIONS).order_by(DESTRUCTIONS.c.id)
        if tenant is not None:
            query = query.where(DESTRUCTIONS.c.tenant == tenant)
        return [_destruction(dict(row)) for row in self._connection.execute(query).mappings()]

    def kept_usage(self, destruction: str, writer: str) -> list[UsageRow]:
        of = (KEPT_USAGE.c.destruction == destruction) & (KEPT_USAGE.c.writer == writer)
        query = select(*_USAGE_COLUMNS).where(of)
        return [UsageRow(*row) for row in self._connection.execute(query)]

    def place(self, record_id: bytes) -> Place | None:
        query = (
            select(*TENANT_BATCHES.columns, RECORD_IDS.c.index)
            .join(RECORD_IDS, RECORD_IDS.c.batch == TENANT_BATCHES.c.id)
            .where(RECORD_IDS.c.id == record_id)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Place(TenantBatch(*row[:-1]), row[-1])

    def indexed(self, ids: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
        found: dict[bytes, tuple[int, int]] = {}
        rest = iter(ids)
        while chunk := list(islice(rest, _CHUNK)):
            query = select(RECORD_IDS).where(RECORD_IDS.c.id.in_(chunk))
            found.update({key: (b, index) for key, b, index in self._connection.execute(query)})
        return found

    def id_count(self) -> int:
        return self._connection.execute(select(func.count()).select_from(RECORD_IDS)).scalar_one()

    def span(self, first: bytes, end: bytes) -> tuple[int, int] | None:
        batches = select(func.min(RECORD_IDS.c.batch), func.max(RECORD_IDS.c.batch))
        query = batches.where(RECORD_IDS.c.id >= first, RECORD_IDS.c.id < end)
        low, high = self._connection.execute(query).one()
        return None if low is None else (low, high)

    def batch(self, writer: str, number: int) -> list[TenantBatch]:
        query = select(TENANT_BATCHES).where(
            TENANT_BATCHES.c.writer == writer, TENANT_BATCHES.c.batch == number
        )
        return self._tenant_batches(query.order_by(TENANT_BATCHES.c.position))

    def tenant_batches(self, after: int, limit: int, tenant: str | None) -> list[TenantBatch]:
        query = select(TENANT_BATCHES).where(TENANT_BATCHES.c.id > after)
        if tenant is not None:
            query = query.where(TENANT_BATCHES.c.tenant == tenant)
        return self._tenant_batches(query.order_by(TENANT_BATCHES.c.id).limit(limit))

    def _tenant_batches(self, query: Select[Any]) -> list[TenantBatch]:
        return [TenantBatch(*row) for row in self._connection.execute(query)]

    def usage(self, tenant: str | None, since_unix_s: int) -> Iterator[UsageRow]:
        query = select(USAGE).where(USAGE.c.hour_unix_s > since_unix_s - 3600)
        if tenant is not None:
            query = query.where(USAGE.c.tenant == tenant)
        for row in self._connection.execute(query.order_by(*USAGE.primary_key.columns)):
            yield UsageRow(*row)


def _destruction(row: dict[str, Any]) -> Destruction:
    volumes = {writer: DestroyedVolume(**one) for writer, one in row.pop("volumes").items()}
    return Destruction(**row, volumes=volumes)


def _range(query: Select[Any], log: int, start: int, stop: int) -> Select[Any]:
    return query.where(
        LOG_ENTRIES.c.log == log, LOG_ENTRIES.c.index >= start, LOG_ENTRIES.c.index < stop
    ).order_by(LOG_ENTRIES.c.index)


def _log(row: Row[Any]) -> Log:
    stored = (
        None
        if row.checkpoint is None
        else StoredCheckpoint(row.checkpoint_size, row.checkpoint_root, row.checkpoint)
    )
    return Log(row.number, row.origin, row.public_key, stored)

"""The one database: engines, settings, transactions. A change and its log entry commit together.

Both databases sync their write-ahead log on every commit, so what a `write` block returned from
is durable. Writers queue behind one lock; readers see one consistent state and cannot write.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.util import LRUCache

from inland.adapters.sql import migrations
from inland.adapters.sql.assets import SqlAssets
from inland.adapters.sql.batches import SqlBatches
from inland.adapters.sql.billing import SqlBilling
from inland.adapters.sql.books import SqlBooks
from inland.adapters.sql.copies import keep_copy
from inland.adapters.sql.feedback import SqlFeedback
from inland.adapters.sql.lines import SqlLines
from inland.adapters.sql.migrations import demand_newest, migrate, refuse_newer, revision
from inland.adapters.sql.reach import SqlReach
from inland.adapters.sql.state import SqlState
from inland.adapters.sql.way import Way
from inland.domain.errors import Busy, Conflict, Damaged
from inland.ports.files import DiskFull, DiskReadOnly

#: How long SQLite waits for another process's write (a backup, a shell) before it gives up.
BUSY_TIMEOUT_MS = 10_000
#: How long emptying the log waits for who reads just now, with all writers behind it.
FORGET_MS = 100
#: Connections that stay open for readers, and how many more may be opened at a time.
READERS, READERS_MORE = 4, 28
_FILE_MODE = 0o600
#: Pages copied at a time by `copy_to`.
_COPY_PAGES = 4096
_RETRY_AFTER_S = 5
#: Names our advisory lock in PostgreSQL: "inland".
_WRITER_LOCK = int.from_bytes(b"inland")

#: More than there are statements in this package.
_STATEMENTS = 1000

_log = logging.getLogger(__name__)


class _Statements(LRUCache[Any, Any]):
    """Statements as they were compiled once, for whichever database of their kind: readers, the
    writer, and every file that a process opens."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_of_any(key), value)


def _of_any(key: Any) -> tuple[Any, ...]:
    """SQLAlchemy's key, good for all dialects that are alike."""
    dialect, *rest = key
    return (type(dialect), dialect.server_version_info, *rest)


_compiled = _Statements(_STATEMENTS)


class SqlTransaction:
    """One open transaction: the nouns, the assets, the books and the bills over one connection."""

    def __init__(self, connection: Connection) -> None:
        self.state = SqlState(connection)
        self.books = SqlBooks(connection)
        self.billing = SqlBilling(connection)
        self.assets = SqlAssets(connection)
        self.reach = SqlReach(connection)
        self.lines = SqlLines(connection)
        self.feedback = SqlFeedback(connection)
        self.batches = SqlBatches(connection)


class Database:
    """`ports.store.Store` over SQLite, or whatever else SQLAlchemy's `url` names."""

    def __init__(
        self,
        url: str | URL,
        *,
        synchronous: str = "FULL",
        read_only: bool = False,
        way: Way | None = None,
    ) -> None:
        """Open and bring the schema up to date; `read_only` demands that it is, and takes no lock.
        `way`: how a server is reached; a file needs none.

        Raises Damaged, Denied where the way is not allowed, and Conflict for a database of a newer
        version or without room to change its schema. Tests alone weaken `synchronous`.
        """
        self._url = make_url(url)
        self._way = way
        if not read_only and self._url.get_backend_name() == "sqlite" and self._url.database:
            Path(self._url.database).touch(_FILE_MODE)  # its log and index take its mode over
        self._writer = self._engine(pool_size=1, max_overflow=0)
        self._reader = self._engine(pool_size=READERS, max_overflow=READERS_MORE)
        self._lock = Lock()
        self._written = 0
        if self._url.get_backend_name() == "sqlite":
            _configure_sqlite(self._writer, synchronous, read_only=False)
            _configure_sqlite(self._reader, synchronous, read_only=True)
        else:
            event.listen(self._writer, "connect", _be_the_one_writer)
        self._named: Callable[[], AbstractContextManager[None]] = (
            _damage_named if read_only else nullcontext
        )
        try:
            with _damage_named():
                self._demand_newest() if read_only else self._grow()
        except BaseException:
            self.close()
            raise

    def _demand_newest(self) -> None:
        with self._reader.begin() as connection:
            demand_newest(connection)

    def _grow(self) -> None:
        """Bring the schema up to date, and keep a copy of a file as it was before."""
        with self._writer.begin() as connection:
            found = revision(connection)
            if found == migrations.REVISION:
                return
            refuse_newer(connection)
            if found is not None and self._url.get_backend_name() == "sqlite":
                kept = keep_copy(Path(str(self._url.database)), found)
                facts = {"from": found, "to": migrations.REVISION, "copy": str(kept)}
                _log.warning("the schema changes", extra=facts)
            migrate(connection)

    def _engine(self, **pool: int) -> Engine:
        remote = self._url.get_backend_name() != "sqlite"  # which may have been restarted
        timeout_s = BUSY_TIMEOUT_MS / 1000
        engine = create_engine(
            self._url,
            pool_timeout=timeout_s,
            pool_pre_ping=remote,
            execution_options={"compiled_cache": _compiled},
            **pool,
        )
        if self._way is not None and remote:
            self._way.lead(engine)
        return engine

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        """A transaction, alone; durable when the block ends, undone when it raises.

        Raises DiskFull, with nothing done.
        """
        with self._lock:
            try:
                with _room_named(), self._writer.begin() as connection:
                    yield SqlTransaction(connection)
            finally:
                self._written += 1  # after the commit: who reads what is new may count it as old

    def written(self) -> int:
        """As `ports.store.Store` says: this process is the one that writes."""
        return self._written

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """One consistent state for the whole block; writing raises.

        Raises Damaged where the file does not hold, if it was opened for reading alone.
        """
        with self._named(), self._reader.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield SqlTransaction(connection)

    def forget(self) -> bool:
        """Empty the write-ahead log: what was overwritten in the file lies nowhere any more. A
        server's log is the server's."""
        if self._url.get_backend_name() != "sqlite":
            return True
        with self._lock:
            connection = self._writer.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(f"PRAGMA busy_timeout = {FORGET_MS}")
                (is_held, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            finally:
                connection.close()
        return not is_held

    def copy_to(self, file: Path, progress: Callable[[int, int], None]) -> None:
        """Make `file` a copy of one moment, while others go on writing: SQLite's online backup.

        `progress` is told pages. The copy is not synced. Raises Damaged, and Conflict for a server,
        whose own tools copy it.
        """
        if self._url.get_backend_name() != "sqlite":
            why = "is a PostgreSQL: stop the factory, then pg_dump it and copy the home"
            raise Conflict("the database", why)
        with self._named(), self._reader.begin() as connection:
            connection.execute(text("SELECT 1 FROM alembic_version"))  # the moment begins here
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            with closing(sqlite3.connect(file)) as target:
                file.chmod(_FILE_MODE)
                target.execute("PRAGMA synchronous = OFF")
                source.backup(
                    target,
                    pages=_COPY_PAGES,
                    progress=lambda _, left, there: progress(there - left, there),
                    sleep=0,
                )

    def close(self) -> None:
        """Close every connection."""
        self._writer.dispose()
        self._reader.dispose()


@contextmanager
def _damage_named() -> Iterator[None]:
    """What SQLite says of a file that is none of its own, or no longer, as Damaged; a server that
    cannot be reached, as Busy."""
    try:
        yield
    except DatabaseError as error:
        if type(error.orig) is sqlite3.DatabaseError:
            raise Damaged("the database", str(error.orig)) from error
        if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
            told = " ".join(str(error.orig).split())
            raise Busy(f"the database cannot be used: {told}", _RETRY_AFTER_S) from error
        raise


def _be_the_one_writer(connection: Any, _record: Any) -> None:
    """Commits are durable, and no other factory writes here: the lock ends with the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO on")
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (_WRITER_LOCK,))
        (is_alone,) = cursor.fetchone()
    connection.commit()
    if not is_alone:
        raise Conflict("the database", "another factory writes to it: each has one of its own")


@contextmanager
def _room_named() -> Iterator[None]:
    """What SQLite says of a disk that is full or takes no writes, as DiskFull."""
    try:
        yield
    except DatabaseError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFull("the database") from error
        if code == sqlite3.SQLITE_READONLY:
            raise DiskReadOnly("the database") from error
        raise


def sqlite_url(file: Path) -> URL:
    """The URL of the SQLite database in `file`."""
    return URL.create("sqlite", database=str(file))


def postgresql_url(url: str, password: str | None) -> URL:
    """As `factory.toml` names it, with its password and our driver. Raises Conflict without it."""
    if find_spec("psycopg") is None:
        why = "PostgreSQL takes psycopg: pip install 'inland[postgresql]'"
        raise Conflict("the database", why)
    return make_url(url).set(drivername="postgresql+psycopg", password=password)


def found_revision(url: str | URL, way: Way | None = None) -> str | None:
    """The revision of the schema there; None before the first. Changes nothing.

    Raises Damaged, Denied, and Conflict where a newer Inland made it.
    """
    engine = create_engine(url)
    if way is not None:
        way.lead(engine)
    try:
        with _damage_named(), engine.connect() as connection:
            refuse_newer(connection)
            return revision(connection)
    finally:
        engine.dispose()


def _configure_sqlite(engine: Engine, synchronous: str, *, read_only: bool) -> None:
    settings = [
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is removed is overwritten where it lay
        f"query_only = {'ON' if read_only else 'OFF'}",
    ]

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)

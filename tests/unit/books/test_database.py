"""The database's promises: durable commits, readers that cannot write, a schema with history."""

import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from inland.adapters.sql import migrations
from inland.adapters.sql.database import Database, sqlite_url
from inland.adapters.sql.schema_base import metadata
from inland.domain.errors import Conflict, Damaged
from inland.ledger.canonical import MAX_RECORD_BYTES, Malformed


@pytest.fixture
def database(tmp_path):
    opened = Database(sqlite_url(tmp_path / "inland.db"))
    yield opened
    opened.close()


@pytest.mark.parametrize("engine", ["_writer", "_reader"])
def test_sqlite_keeps_a_write_ahead_log_and_syncs_every_commit(database, engine):
    with getattr(database, engine).begin() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    full = 2
    assert settings == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_the_file_is_private_and_so_are_its_companions(database, tmp_path):
    with database.write() as transaction:
        transaction.books.open_log("o", b"k" * 32)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("inland.db*")}
    assert modes == {0o600}


def test_whatever_may_have_been_written_counts_and_reading_does_not(database):
    before = database.written()
    with database.read():
        pass
    assert database.written() == before
    with database.write() as transaction:
        assert database.written() == before, "nobody sees it yet"
        transaction.books.open_log("o", b"k" * 32)
    written = database.written()
    assert written != before
    with pytest.raises(RuntimeError), database.write():
        raise RuntimeError
    assert database.written() != written, "whether it was written is not known"


def test_a_block_that_raises_leaves_nothing(database):
    def fail() -> None:
        with database.write() as transaction:
            transaction.books.open_log("o", b"k" * 32)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as transaction:
        assert transaction.books.logs() == []


def test_writing_through_a_read_is_an_error(database):
    with database.read() as transaction, pytest.raises(OperationalError, match="readonly"):
        transaction.books.open_log("o", b"k" * 32)


def test_a_reader_sees_one_state_however_long_it_looks(database):
    with database.read() as reader:
        assert reader.books.logs() == []
        with database.write() as writer:
            writer.books.open_log("o", b"k" * 32)
        assert reader.books.logs() == []
    with database.read() as reader:
        assert len(reader.books.logs()) == 1


def test_the_migrations_make_exactly_the_tables_that_the_code_names(database):
    with database._writer.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_revision_is_the_one_that_starts_skip_migrating_at():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.REVISION]


def test_a_database_of_a_newer_version_is_refused_as_it_is(tmp_path):
    url = sqlite_url(tmp_path / "inland.db")
    newer = Database(url)
    with newer._writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    newer.close()
    before = (tmp_path / "inland.db").read_bytes()
    for read_only in (True, False):
        with pytest.raises(Conflict, match="a newer Inland made it") as refused:
            Database(url, read_only=read_only)
        assert "\n" not in str(refused.value)
    assert (tmp_path / "inland.db").read_bytes() == before


def test_no_record_is_entered_that_nobody_could_read(database):
    record = {"kind": "change", "id": "0", "why": "a" * MAX_RECORD_BYTES}
    with database.write() as transaction:
        transaction.books.open_log("origin", bytes(32))
        with pytest.raises(Malformed, match="is more than"):
            transaction.books.append(record)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_damage(tmp_path, read_only):
    file = tmp_path / "inland.db"
    file.write_bytes(b"garbage " * 1000)
    with pytest.raises(Damaged, match="not a database"):
        Database(sqlite_url(file), read_only=read_only)
    assert file.read_bytes() == b"garbage " * 1000


def test_a_page_gone_bad_is_damage_to_who_only_reads(tmp_path):
    file = tmp_path / "inland.db"
    made = Database(sqlite_url(file))
    with made.write() as transaction:
        transaction.books.open_log("origin", bytes(32))
    made.close()
    data = bytearray(file.read_bytes())
    opened = Database(sqlite_url(file), read_only=True)
    for at in range(4096, len(data), 4096):
        data[at : at + 100] = b"U" * 100
    file.write_bytes(data)
    with pytest.raises(Damaged, match="malformed"), opened.read() as transaction:
        transaction.books.logs()
    opened.close()

"""The books over every database: booked, restarted, checked and proved as on the first one."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from inland.adapters.sql.database import Database, found_revision
from inland.adapters.sql.migrations import REVISION
from inland.adapters.sql.schema_base import metadata
from inland.domain.errors import Busy, Conflict, Damaged
from inland.plant.books.check import check
from inland.ports.books import UsageRow, Volume
from tests import postgresql
from tests.chaos.books_world import Plan, World, change, closing, opening, request, tick
from tests.postgresql import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql.server() as up:
        yield up


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path) -> Iterator[World]:
    with ExitStack() as ends:
        postgres = request.param == "postgresql"
        url = request.getfixturevalue("server").database() if postgres else None
        made = World(Plan(), tmp_path / "books.db", url)
        ends.callback(made.close)
        yield made


def test_what_is_acknowledged_is_booked_proved_and_agrees(world):
    for step in (
        *(request("acme"), request("demo"), opening("acme", "s"), tick, change, tick),
        *(request("acme"), closing("acme", "s"), opening("demo", "cut"), tick),
    ):
        step(world)
    world.kill_gateway()
    for step in (tick, request("demo"), tick, tick):
        step(world)
    world.demand_kept()
    report = check(world.disk.process("auditor"), world.database)
    assert (report.findings, report.records) == ([], 6)


def test_usage_adds_up_and_volumes_are_replaced(world):
    row = UsageRow(3600, "acme", "d", "k", requests=2, prompt_tokens=2**40)
    with world.database.write() as transaction:
        transaction.books.add_usage([row, UsageRow(3600, "demo", "d", "k", refused=1)])
        transaction.books.add_usage([row])
        transaction.books.put_volumes([Volume("acme", "w", 5, 1, 1)])
        transaction.books.put_volumes([Volume("acme", "w", 9, 2, 2)])
    with world.database.read() as transaction:
        (found,) = transaction.books.usage("acme", 0)
        assert (found.requests, found.prompt_tokens) == (4, 2**41)
        assert transaction.books.volumes("w") == [Volume("acme", "w", 9, 2, 2)]


def test_a_record_that_was_booked_before_is_damage_and_undoes_all(world):
    with world.database.write() as transaction:
        transaction.books.put_ids(1, [b"a" * 16, b"b" * 16])
    with pytest.raises(Damaged, match="booked before"), world.database.write() as transaction:
        transaction.books.put_ids(2, [b"c" * 16, b"a" * 16])
    with world.database.read() as transaction:
        assert transaction.books.id_count() == 2
        assert transaction.books.indexed([b"a" * 16, b"c" * 16]) == {b"a" * 16: (1, 0)}


def test_a_reader_sees_one_state_and_cannot_write(world):
    world.tick()
    with world.database.read() as transaction:
        before = transaction.books.log_size(0)
        world.change()
        assert transaction.books.log_size(0) == before
    with pytest.raises(DBAPIError, match="read"), world.database.read() as transaction:
        transaction.books.put_ids(1, [b"x" * 16])


def test_postgresql_has_exactly_the_tables_that_the_code_names(server):
    url = server.database()
    assert found_revision(url) is None
    made = Database(url)
    with made._writer.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    made.close()
    assert found_revision(url) == REVISION


def test_a_database_of_postgresql_is_copied_by_its_own_tools(server, tmp_path):
    made = Database(server.database())
    with pytest.raises(Conflict, match="pg_dump"):
        made.copy_to(tmp_path / "copy", lambda *_: None)
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_one_factory_alone_writes_to_a_database_of_postgresql(server):
    url = server.database()
    first = Database(url)
    with pytest.raises(Conflict, match="another factory"):
        Database(url)
    Database(url, read_only=True).close()
    first.close()
    postgresql.let_go(url)
    Database(url).close()


def test_a_server_that_is_away_is_said_in_one_line(server, tmp_path):
    with pytest.raises(Busy, match="cannot be used") as error:
        Database(server.url("nowhere"))
    assert "\n" not in str(error.value)

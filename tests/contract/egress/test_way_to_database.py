"""A PostgreSQL is reached through the one door: judged, pinned, counted, and ended with the way."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import URL

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.uses import Use
from inland.adapters.sql.database import Database, found_revision
from inland.adapters.sql.way import REFUSED, WHY, Way
from inland.domain.errors import BadInput, Busy, Denied
from tests import postgresql
from tests.postgresql import Server

NAME = "database.example"
BY = ("rule",)


@dataclass
class Rules:
    """What may be connected to, and what was asked."""

    outside: tuple[str, ...] = BY
    inside: tuple[str, ...] = BY

    def __call__(self, host: str, port: int, inside: bool) -> tuple[str, ...]:
        return self.inside if inside else self.outside


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql.server(postgresql.own_address()) as running:
        yield running


def way(server: Server, rules: Rules) -> Way:
    return Way(BlockingDoor(rules, resolve=lambda host, port: [server.address]))


def url(server: Server, **query: str) -> URL:
    """By a name that only the door's resolver knows."""
    found = server.database()
    return found.set(host=NAME, query=query)


def ask(database: Database) -> None:
    with database.read() as transaction:
        transaction.state.version()


def test_it_is_reached_at_the_judged_address_and_counted(server: Server) -> None:
    by = way(server, Rules())
    database = Database(url(server), way=by)
    ask(database)
    database.close()
    (use,) = by.door.uses.counts()
    assert use == Use(f"{NAME}:5432", WHY, BY)


def test_what_is_not_allowed_is_not_connected_to(server: Server) -> None:
    """A name that points inside, too."""
    for rules in (Rules((), ()), Rules(inside=())):
        by = way(server, rules)
        with pytest.raises(Denied, match=NAME):
            Database(url(server), way=by)
        with pytest.raises(Denied, match=NAME):
            found_revision(url(server), by)
        assert set(by.door.uses.counts()) == {Use(f"{NAME}:5432", WHY, ())}


def test_a_way_that_is_closed_ends_what_stands_and_opens_again(server: Server) -> None:
    rules = Rules()
    by = way(server, rules)
    database = Database(url(server), way=by)
    ask(database)
    by.door.recheck()
    ask(database)
    rules.inside = ()
    by.door.recheck()
    with pytest.raises(Denied):
        ask(database)
    with pytest.raises(Denied), database.write():
        pass
    rules.inside = BY
    ask(database)
    database.close()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_nothing_in_the_url_chooses_another_way(server: Server, name: str) -> None:
    with pytest.raises(BadInput, match=name):
        Database(url(server, **{name: "x"}), way=way(server, Rules()))


def test_nothing_in_the_environment_chooses_another_way(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At these nobody answers: whoever asked them would fail."""
    by_name, by_socket, by_none = url(server), server.database(), server.database().set(query={})
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.9")
    monkeypatch.setenv("PGHOST", "127.0.0.9")
    monkeypatch.setenv("PGREQUIREAUTH", "gss")
    for where in (by_name, by_socket):
        database = Database(where, way=way(server, Rules()))
        ask(database)
        database.close()
    with pytest.raises(BadInput, match="name the server's host"):
        Database(by_none, way=way(server, Rules()))


def test_a_socket_of_this_machine_takes_no_door(server: Server) -> None:
    by = way(server, Rules((), ()))
    database = Database(server.database(), way=by)
    ask(database)
    database.close()
    assert by.door.uses.counts() == {}


def test_each_of_several_servers_is_judged(server: Server) -> None:
    """The first has no such database; the second is the one."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return [server.address]

    two = server.database().set(query={"host": (f"other.example:{1}", f"{NAME}:5432")})
    database = Database(two, way=Way(BlockingDoor(Rules(), resolve=resolve)))
    ask(database)
    database.close()
    assert {"other.example:1", f"{NAME}:5432"} <= set(asked)


def test_a_name_that_nobody_knows_is_told_in_a_line(server: Server) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(Busy, match="no such name"):
        Database(url(server), way=Way(BlockingDoor(Rules(), resolve=resolve)))

"""Worlds over both databases."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests import postgresql
from tests.postgresql import Server
from tests.unit.assets.world import World, small_parts


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with postgresql.server() as up:
        yield up


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path, monkeypatch) -> Iterator[World]:
    small_parts(monkeypatch)
    with ExitStack() as ends:
        postgres = request.param == "postgresql"
        url = request.getfixturevalue("server").with_schema() if postgres else None
        made = World(tmp_path, url)
        ends.callback(made.plant.store.close)
        yield made

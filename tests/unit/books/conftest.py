"""A factory's books over a disk in memory, without any fault."""

import pytest

from tests import databases
from tests.chaos.books_world import Plan, World


@pytest.fixture
def world(tmp_path):
    databases.put(tmp_path / "books.db")
    made = World(Plan(), tmp_path / "books.db")
    made.tick()
    yield made
    made.close()

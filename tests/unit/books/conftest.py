"""A factory's books over a disk in memory, without any fault."""

import pytest

from tests.chaos.books_world import Plan, World


@pytest.fixture
def world(tmp_path):
    made = World(Plan(), tmp_path / "books.db")
    made.tick()
    yield made
    made.close()

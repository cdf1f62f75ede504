"""The books over a disk that forgets everything not synced, stopped at every single operation."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.books_world import (
    Plan,
    World,
    change,
    closing,
    kill_gateway,
    opening,
    request,
    template,
    tick,
)

SCRIPT = [
    tick,
    request("acme"),
    opening("demo", "one"),
    opening("acme", "long"),
    tick,
    closing("demo", "one"),
    change,
    *[request("acme")] * 4,
    tick,
    opening("demo", "two"),
    *[request("demo")] * 3,
    tick,
    tick,
    kill_gateway,
    tick,
    request("demo"),
    opening("demo", "three"),
    tick,
    closing("demo", "three"),
    change,
    tick,
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    return template(tmp_path_factory.mktemp("books"))


def run(plan: Plan, empty: Path, *, laws: bool = True) -> World:
    database = empty.with_name("books.db")
    for old in empty.parent.glob("books.*"):
        old.unlink()
    shutil.copy(empty, database)
    world = World(plan, database)
    try:
        world.play(SCRIPT)
        if laws:
            world.demand_kept()
    finally:
        world.close()
    return world


def plans(operations: int) -> Iterator[Plan]:
    """Every single fault, the machine's in two ways; and of every kill what a later stop makes."""
    for at in range(operations):
        yield Plan(at)
        yield Plan(at, seed=at)
    for at in range(operations):
        yield Plan(at, process=True)
        yield Plan(at, process=True, then=2)


@pytest.mark.timeout(600)
def test_what_is_acknowledged_survives_a_fault_at_any_operation(empty):
    operations = run(Plan(), empty).script_operations
    assert operations > 150
    for plan in plans(operations):
        try:
            run(plan, empty)
        except BaseException as error:
            error.add_note(repr(plan))
            raise

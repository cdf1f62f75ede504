"""The books over a disk that forgets everything not synced, stopped at every single operation."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest

from tests.chaos.books_world import (
    Plan,
    World,
    back_up,
    change,
    closing,
    kill_gateway,
    opening,
    request,
    rotate,
    template,
    tick,
)

#: All of them only compute: how long that takes is the machine's affair.
pytestmark = pytest.mark.timeout(3600)

SCRIPT = [
    tick,
    request("acme"),
    opening("demo", "one"),
    opening("acme", "long"),
    tick,
    closing("demo", "one"),
    change,
    *[request("acme")] * 4,
    rotate,
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
    rotate,
    tick,
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    return template(tmp_path_factory.mktemp("books"))


def run(plan: Plan, empty: Path) -> World:
    world = fresh(plan, empty)
    try:
        world.play(SCRIPT)
        world.start_again()
        world.demand_kept()
    except BaseException as error:
        error.add_note(repr(plan))
        raise
    finally:
        world.close()
    return world


def fresh(plan: Plan, empty: Path) -> World:
    for old in empty.parent.glob("books.*"):
        old.unlink()
    return World(plan, Path(shutil.copy(empty, empty.with_name("books.db"))))


def faults(operations: int) -> Iterator[Plan]:
    """At each operation: the machine, keeping nothing or a part; a process, then the machine."""
    for at in range(operations):
        yield Plan(stop=at)
        yield Plan(stop=at, seed=at)
        yield Plan(kill=at)
        yield Plan(kill=at, stop=at + 1 + at * 37 % 60)


def thin(plans: Iterator[Plan]) -> Iterator[Plan]:
    """Each operation still meets a fault, of one kind or another."""
    return (plan for number, plan in enumerate(plans) if number % 4 == number // 4 % 4)


def pairs(operations: int) -> Iterator[Plan]:
    """Kills with a stop of the machine soon after."""
    for kill in range(operations):
        for stop in range(kill + 1, min(kill + 60, operations), 3):
            yield Plan(kill=kill, stop=stop, seed=stop)


def test_what_is_acknowledged_survives_a_fault_at_any_operation(empty, pytestconfig):
    operations = run(Plan(), empty).script_operations
    assert operations > 200
    plans = thin(faults(operations))
    if pytestconfig.getoption("--soak"):
        plans = chain(faults(operations), pairs(operations))
    for plan in plans:
        run(plan, empty)


def breaking(site: str, world: World) -> Iterator[Plan]:
    """Faults that could show that `site` is needed, the likeliest first."""
    for at in range(world.sites.get(site, world.operations), world.script_operations):
        yield Plan(stop=at, deaf=site)
    for at in world.names:
        for later in range(1, 60):
            yield Plan(kill=at, stop=at + later, deaf=site)


def test_leaving_out_any_one_sync_loses_something(empty, pytestconfig):
    """Every third of them in a small run, every one in a soak."""
    world = run(Plan(), empty)
    sites = set(world.sites).union(*(run(Plan(kill=at), empty).sites for at in world.names))
    assert len(sites) > 15
    tried = sorted(sites)[:: 1 if pytestconfig.getoption("--soak") else 3]
    needless = [site for site in tried if not breaks(breaking(site, world), empty)]
    assert not needless, "syncs that nothing relies on"


def breaks(plans: Iterator[Plan], empty: Path) -> bool:
    for plan in plans:
        try:
            run(plan, empty)
        except Exception:  # noqa: BLE001 - any broken law will do
            return True
    return False


def play_and_restore(plan: Plan, empty: Path, *, head_too: bool = False) -> World:
    """As `run`, but an old copy of the database is put back before everything starts again."""
    world = fresh(plan, empty)
    try:
        world.play([tick, change, tick, back_up, change, tick, request("acme"), tick, tick])
        world.restore(head_too=head_too)
        world.restored_at = world.operations
        afterwards = [change, tick, change, tick, request("demo"), tick]
        world.play(afterwards)
        for step in afterwards:
            step(world)
        world.demand_one_history()
        if not head_too:
            world.demand_tiles()
    finally:
        world.close()
    return world


def test_a_restored_copy_of_the_database_never_signs_a_second_history(empty):
    world = play_and_restore(Plan(), empty)
    assert len(set(world.seen.notes.values())) == 2, "a new origin was opened"
    for at in range(world.restored_at):
        with suppress(FileNotFoundError):  # stopped before there was a copy
            play_and_restore(Plan(stop=at), empty)


def test_a_log_in_place_of_a_lost_one_is_begun_whole_or_not_at_all(empty):
    world = play_and_restore(Plan(), empty)
    for at in range(world.restored_at, world.script_operations):
        for seed in (None, at):
            stopped = play_and_restore(Plan(stop=at, seed=seed), empty)
            assert len(set(stopped.seen.notes.values())) == 2, f"stopped at {at}"


def test_a_copy_restored_with_its_head_is_what_an_outsider_catches(empty):
    with pytest.raises(AssertionError, match=r"two heads|a fork"):
        play_and_restore(Plan(), empty, head_too=True)

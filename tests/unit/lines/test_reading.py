"""What reads data is begun again where it was killed, unless somebody ends it."""

from threading import Thread

import pytest

from inland.domain.assets import Action
from inland.domain.errors import Busy, Conflict
from inland.domain.lines import RunState, StepKind
from inland.lines.reading import ATTEMPTS, Use
from inland.plant import killed
from inland.plant.jobs import JobOrder
from tests.patience import PATIENCE_S, until
from tests.unit.assets.world import TIGHT, small_parts
from tests.unit.lines.world import KilledCell, LineWorld


@pytest.fixture
def ready(world: LineWorld) -> LineWorld:
    """With a suite and a line that uses it."""
    world.add_suite()
    world.declare()
    return world


def test_what_reads_is_begun_again_where_it_was_killed(ready):
    ready.cells.killed = [KilledCell() for _ in range(ATTEMPTS - 1)]
    assert ready.ended(ready.start()).state is RunState.DONE


def test_what_is_killed_each_time_fails_its_run(ready):
    ready.cells.killed = [KilledCell() for _ in range(ATTEMPTS)]
    run = ready.ended(ready.start())
    assert run.state is RunState.FAILED
    assert "ended with -9" in run.why
    assert len(ready.cells.begun) == ATTEMPTS


def test_what_is_being_ended_is_not_begun_again(ready):
    readers, run = ready.room.readers, ready.start()
    ending = Thread(target=readers.end, args=(run.id, "it is enough"))

    def end() -> None:
        (reading,) = readers._readings
        ending.start()
        until(lambda: reading.ending)

    ready.cells.killed = [KilledCell(end)]
    with pytest.raises(Conflict, match="it is enough"):
        readers.read(run.id, "acme", (), ["ask"])
    ending.join(PATIENCE_S)
    assert not ending.is_alive()
    assert len(ready.cells.begun) == 1


def read(ready, asset, tenant="acme"):
    """A reading that is ended, once it is."""
    reading = Thread(target=_ended, args=(ready, asset, tenant))
    reading.start()
    return reading


def _ended(ready, asset, tenant):
    with pytest.raises(Conflict):
        ready.room.readers.read("run", tenant, [Use(asset, Action.TRAIN)], ["ask"])


def test_a_reading_dies_though_a_job_is_slow_to_let_go(ready, monkeypatch):
    monkeypatch.setattr(killed, "RELEASE_S", 0.05)
    ready.cells.held = True
    theirs = ready.add(who=ready.other, tenant="demo", name="theirs")
    with ready.slow_parts(monkeypatch, of=(asset := ready.add())) as asked:
        order = JobOrder("acme", Action.TRAIN, (asset,), ("true",))
        ready.plant.jobs.run(ready.operator, order)
        reading = read(ready, theirs, "demo")
        until(lambda: asked and ready.cells.begun)
        assert ready.cells.begun[0][1].awaited.wait(PATIENCE_S), "it is decided anew before that"
        with pytest.raises(Conflict, match="job"):
            ready.plant.assets.relabel(ready.admin, asset, TIGHT)
        with pytest.raises(Conflict, match="job"):
            ready.plant.vault_room.withdraw("op", "demo")
        reading.join(PATIENCE_S)
        assert ready.cells.begun[0][1].ends == 1
    until(lambda: not ready.plant.jobs.holds())


def test_a_reading_that_is_ended_opens_no_more(ready, monkeypatch):
    small_parts(monkeypatch)
    monkeypatch.setattr(killed, "RELEASE_S", 0.05)
    with ready.slow_parts(monkeypatch, of=(asset := ready.add())) as asked:
        reading = read(ready, asset)
        until(lambda: asked)
        with pytest.raises(Conflict, match="run"):
            ready.plant.assets.relabel(ready.admin, asset, TIGHT)
    reading.join(PATIENCE_S)
    assert len(asked) == 1
    assert not ready.cells.begun


def test_a_run_waits_while_there_is_no_room_for_what_it_reads(ready, monkeypatch):
    full, real = True, ready.plant.holders.opened

    def opened(rows, still=None):
        if full:
            raise Busy("no memory", 10)
        return real(rows, still)

    monkeypatch.setattr(ready.plant.holders, "opened", opened)
    run = ready.start()
    assert "no memory" in ready.until(run, lambda one: one.why).why
    ready.quiet()
    full = False
    ready.plant.clock.sleep(10)
    ended = ready.ended(run)
    assert (ended.state, ended.why) == (RunState.DONE, "")
    assert len(ready.said("step.begin")) == len(ready.steps(run))


def test_questions_that_nobody_has_room_for_fail_their_run_in_the_end(ready):
    ready.tokens.busy = 1_000_000
    run = ready.ended(ready.start())
    assert run.state is RunState.FAILED
    assert "no room" in run.why
    assert StepKind.EVALUATE in ready.steps(run)

"""What reads data is begun again where it was killed, unless somebody ends it."""

import time
from threading import Thread

import pytest

from inland.domain.errors import Busy, Conflict
from inland.domain.lines import RunState, StepKind
from inland.lines.reading import ATTEMPTS
from tests.patience import PATIENCE_S
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
        until = time.monotonic() + PATIENCE_S
        while not reading.ending:
            assert time.monotonic() < until
            time.sleep(0.001)

    ready.cells.killed = [KilledCell(end)]
    with pytest.raises(Conflict, match="it is enough"):
        readers.read(run.id, "acme", (), ["ask"])
    ending.join(PATIENCE_S)
    assert not ending.is_alive()
    assert len(ready.cells.begun) == 1


def test_a_run_waits_while_there_is_no_room_for_what_it_reads(ready, monkeypatch):
    full, real = True, ready.plant.holders.opened

    def opened(rows):
        if full:
            raise Busy("no memory", 10)
        return real(rows)

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

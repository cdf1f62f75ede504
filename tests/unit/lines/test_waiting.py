"""Runs that wait hold nothing; what goes on from there is at work, and says what it does."""

import pytest

from inland.domain.errors import Busy, Conflict
from inland.domain.lines import RunState, StepKind
from tests.unit.lines.test_releasing import GATED
from tests.unit.lines.test_releasing import factory as factory  # noqa: PLC0414 - a fixture
from tests.unit.lines.world import LINE


def test_a_run_that_waited_for_its_candidate_is_at_work_while_that_is_asked(factory):
    world = factory.world
    world.declare(GATED)
    run = world.start()
    factory.loads = False
    factory.waits(run, "load the candidate")
    world.tokens.gate.clear()
    factory.loads = True
    factory.until(run, lambda _: world.room.worker.progress(run.id) is not None)
    found, steps = world.room.runs.show(None, run.id)
    assert (found.why, steps[StepKind.EVALUATE].why) == ("", "")
    world.room.runs._most = 1
    world.declare(LINE.replace('"nightly"', '"other"'))
    with pytest.raises(Conflict, match=r"limits\.runs"):
        world.start("other")
    world.tokens.gate.set()
    assert factory.ended(run).state is RunState.DONE


def test_what_is_begun_and_waits_again_says_so_each_time_and_is_logged_once(world):
    world.add_suite()
    world.declare()
    begun: list[str] = []

    def check(doing):
        begun.append(world.room.runs.show(None, run.id)[0].why)
        doing.progress(0, 3, "the base model")
        assert world.room.runs.show(None, run.id)[0].why == ""
        raise Busy("no memory", 1)

    world.room.worker._kinds[StepKind.CHECK] = check
    run = world.start()
    for _ in range(4):
        world.room.worker.step()
        world.quiet()
        world.plant.clock.sleep(2)
    told = world.room.runs.show(None, run.id)[0].why
    assert "no memory" in told
    assert begun == ["", told, told, told]
    assert len(world.room.runs.logs(None, run.id, 0)) == 1

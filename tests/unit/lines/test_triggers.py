"""What people say begins runs: what they corrected is collected for them, and a score that falls is
what they said of what is live."""

import pytest

from inland.decide.lines.rollout import Seen
from inland.domain.feedback import Said
from inland.domain.lines import Run, RunState
from inland.domain.thumbs import Thumb, Thumbs
from inland.lines import triggers
from tests.patience import until
from tests.unit.lines.test_check import NOTES
from tests.unit.lines.test_releasing import GATED, PACED, Factory
from tests.unit.lines.test_releasing import factory as factory  # noqa: PLC0414 - a fixture
from tests.unit.plant.test_feedback import TAUGHT, answered

LEARNS = GATED.replace('train = ["notes"]', 'train = ["notes", "feedback-notes"]')


@pytest.fixture(autouse=True)
def _looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "LOOK_EVERY_S", 0.0)


def say(factory: Factory, number: int, said: Said = TAUGHT, release: str = "r1") -> None:
    factory.plant.clock.sleep(1)
    record = answered(number, release=release)
    factory.plant.room.feedback.give(factory.world.member, record, said)


def begun(factory: Factory) -> list[Run]:
    """Runs, once a look is over."""
    factory.world.room.triggers.step()
    until(lambda: not factory.world.room.triggers._collecting)
    return factory.world.room.runs.all("acme")


def test_what_people_corrected_is_collected_and_begins_a_run(factory):
    world = factory.world
    world.declare(LEARNS + '\n[[trigger]]\non = "feedback"\ncorrections = 2\n')
    say(factory, 0)
    say(factory, 1, Said(Thumbs.DOWN))
    assert begun(factory) == [], "one of them teaches nothing"
    say(factory, 1)
    (run,) = begun(factory)
    assert run.by == "trigger feedback"
    assert [one.name for one in run.materials.train] == ["notes", "feedback-notes"]
    assert factory.ended(run).state is RunState.DONE
    say(factory, 2)
    assert len(begun(factory)) == 1, "what was said before its last run is counted again"
    say(factory, 3)
    second, _ = begun(factory)
    assert [one.version for one in second.materials.train] == [1, 2]
    factory.ended(second)


def test_thumbs_begin_a_run_where_a_line_learns_from_something_else(factory):
    factory.world.declare(GATED + '\n[[trigger]]\non = "feedback"\nthumbs = 3\n')
    for number in range(3):
        assert begun(factory) == []
        say(factory, number, Said(Thumbs.UP))
    (run,) = begun(factory)
    factory.ended(run)
    assert factory.world.said("feedback.collect") == []


def test_what_cannot_be_collected_begins_nothing_and_is_said(factory):
    world = factory.world
    world.declare(LEARNS + '\n[[trigger]]\non = "feedback"\nthumbs = 1\n')
    say(factory, 0, Said(Thumbs.UP))
    assert begun(factory) == []
    assert "no correction" in world.room.triggers.refused["acme", "nightly"]
    say(factory, 0)
    (run,) = begun(factory)
    assert world.room.triggers.refused == {}
    factory.ended(run)


def test_a_live_score_that_fell_begins_a_run_and_is_measured_anew_behind_it(factory):
    world = factory.world
    world.declare(PACED + '\n[[trigger]]\non = "score"\npoints = 10\nthumbs = 5\nhours = 2\n')
    factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "50 % of the users of notes")
    world.seen = (Seen(2, thumb=Thumb(9, 10)), Seen(2))
    assert factory.ended(second).state is RunState.DONE
    for number in range(8):
        say(factory, number, Said(Thumbs.DOWN), second.id)
    factory.plant.clock.sleep(3 * 3600)
    assert len(begun(factory)) == 2, "that was too long ago"
    for number in range(8):
        assert len(begun(factory)) == 2 or number > 4
        say(factory, number, Said(Thumbs.DOWN), second.id)
    third, *_ = found = begun(factory)
    assert (len(found), third.by) == (3, "trigger score")
    assert factory.ended(third).state is RunState.DONE
    assert len(begun(factory)) == 3

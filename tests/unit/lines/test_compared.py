"""What a run makes is compared with what serves, and released only where that serves still."""

import pytest

from inland.domain.errors import Conflict
from inland.domain.lines import RunState, StepKind
from tests.unit.lines.test_check import NOTES
from tests.unit.lines.test_releasing import GATED, PERSON, Factory, factory_of
from tests.unit.lines.world import LineWorld


@pytest.fixture
def factory(world: LineWorld) -> Factory:
    return factory_of(world)


def test_a_baseline_is_of_whichever_serves(factory):
    world = factory.world
    world.declare(GATED)
    first = factory.ended(world.start())
    assert world.steps(first)[StepKind.BASELINE].reused == ""
    world.add(NOTES * 2, name="notes")
    second = factory.ended(world.start())
    assert world.steps(second)[StepKind.BASELINE].reused == first.id, "and not the base's"
    world.add(NOTES * 3, name="notes")
    world.tokens.dull = frozenset({"notes"})
    world.releases.rollback(world.admin, "acme", second.id)
    third = factory.ended(world.start())
    assert world.steps(third)[StepKind.BASELINE].reused == first.id, "the first one's again"


def test_what_serves_another_than_was_compared_with_ends_the_run_and_nobody_approves_it(factory):
    world = factory.world
    world.declare(GATED)
    first = factory.ended(world.start())
    world.declare(PERSON)
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "awaiting approval")
    world.releases.rollback(world.admin, "acme", first.id)
    with pytest.raises(Conflict, match="another model by now"):
        world.releases.approve(world.admin, "acme", second.id)
    ended = factory.ended(second)
    assert ended.state is RunState.FAILED
    assert "another model by now" in ended.why


def test_what_serves_another_than_was_compared_with_no_gate_approves(factory, monkeypatch):
    """It is taken back between the gate's look at what serves and its approval."""
    world = factory.world
    world.declare(GATED)
    first = factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    candidates = world.room.candidates
    propose = candidates.propose

    def late(*asked):
        proposed = propose(*asked)
        world.releases.rollback(world.admin, "acme", first.id)
        return proposed

    monkeypatch.setattr(candidates, "propose", late)
    second = factory.ended(world.start())
    assert second.state is RunState.FAILED
    assert "another model by now" in second.why
    assert len(world.said("release.approve")) == 1
    assert factory.serving() == {}

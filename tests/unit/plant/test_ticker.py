"""Whoever has nothing to do is not stepped, and nobody is left out who might."""

import pytest

from inland.domain.errors import Busy
from inland.plant.ticker import REST_STEPS, Controller, Ticker, always


class Stepped:
    """Counts its steps; `rests` and what a step does are a test's to say."""

    def __init__(self) -> None:
        self.steps = 0
        self.rests = True
        self.wrong: Exception | None = None

    def step(self) -> None:
        self.steps += 1
        if self.wrong is not None:
            raise self.wrong

    def controller(self) -> Controller:
        return Controller("stepped", self.step, lambda: self.rests)


class World:
    """A ticker of one controller, and the signs it goes by."""

    def __init__(self) -> None:
        self.one, self.signs = Stepped(), 1
        self.failed: list[tuple[str, Exception]] = []
        self.ticker = Ticker(
            [self.one.controller()],
            lambda *told: self.failed.append(told),
            signs=lambda: self.signs,
        )

    def steps(self, count: int = 1) -> int:
        """How often it was stepped in so many steps of the ticker."""
        before = self.one.steps
        for _ in range(count):
            self.ticker.step()
        return self.one.steps - before


@pytest.fixture
def world() -> World:
    return World()


def test_who_rests_is_stepped_when_a_sign_changes_and_not_before(world):
    assert world.steps(5) == 1
    world.signs = 2
    assert world.steps(5) == 1


def test_who_does_not_rest_is_stepped_each_time(world):
    world.one.rests = False
    assert world.steps(5) == 5


def test_who_stops_resting_is_stepped_though_no_sign_changed(world):
    assert world.steps(3) == 1
    world.one.rests = False
    assert world.steps(2) == 2


def test_without_signs_nobody_rests(world):
    world.signs = None
    assert world.steps(5) == 5


@pytest.mark.parametrize("wrong", [Busy("asked too often", 1), ValueError("no")])
def test_who_failed_does_not_rest_until_a_step_went_well(world, wrong):
    world.one.wrong = wrong
    assert world.steps(3) == 3
    assert "stepped" in world.ticker.wrong
    assert len(world.failed) == (0 if isinstance(wrong, Busy) else 3)
    world.one.wrong = None
    assert world.steps(3) == 1
    assert not world.ticker.wrong


def test_what_changes_during_a_step_is_looked_at_again(world):
    def changed() -> None:
        world.signs += 1

    world.ticker.controllers.append(Controller("other", changed, always))
    assert world.steps(4) == 4


def test_nobody_rests_for_ever(world):
    assert world.steps(1) == 1
    assert world.steps(REST_STEPS) == 0
    assert world.steps(1) == 1

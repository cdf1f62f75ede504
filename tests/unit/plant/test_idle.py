"""A plant where nothing happens asks nobody anything, and notices what does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from inland.domain.plant import EngineKind, ReplicaState
from inland.plant.allowances import Allowances
from inland.plant.replicas import EngineRoom, Replicas
from inland.plant.ticker import REST_STEPS, Controller, Ticker, always
from inland.ports.runner import ProcessState
from tests.unit.lines.world import LineWorld
from tests.unit.plant.parts import SERVED, AtOnce, ToyProber, settled

ONE = "smollm2-0"


class IdlePlant:
    """The controllers of a plant over one ticker; how often its database was read."""

    def __init__(self, world: LineWorld) -> None:
        self.plant = plant = world.plant
        self.reads = 0
        self.failed: list[tuple[str, Exception]] = []
        changes, runner, holders = plant.changes, plant.runner, plant.holders
        self.replicas = Replicas(
            changes,
            runner,
            dict.fromkeys(EngineKind, ToyProber()),
            EngineRoom("/m", "/r", (0, 1)),
            AtOnce(),
            settled(plant.clock),
            holders.held_back,
        )
        allowances = Allowances(plant.store, plant.clock, frozenset, frozenset)
        self.ticker = Ticker(
            [
                Controller("snapshots", changes.refresh, always),
                Controller("holders", holders.step, holders.rests),
                Controller("replicas", self.replicas.step, self.replicas.rests),
                Controller("releases", world.releases.step, world.releases.rests),
                Controller("contracts", plant.contracts.settle, always),
                Controller("allowances", allowances.step),
                *world.room.controllers(),
            ],
            lambda *told: self.failed.append(told),
            signs=lambda: (plant.store.written(), runner.processes()),
        )

    def settle(self) -> None:
        """Step until everything rests."""
        for _ in range(20):
            before = self.reads
            self.ticker.step()
            if self.reads == before:
                assert not self.failed
                assert not self.ticker.wrong
                return
        raise AssertionError("it never rests")

    def state(self) -> ReplicaState:
        return self.plant.changes.snapshot().replicas[ONE].state


@pytest.fixture
def idle(tmp_path, monkeypatch) -> Iterator[IdlePlant]:
    made = IdlePlant(LineWorld(tmp_path))
    read = made.plant.store.read

    @contextmanager
    def counted():
        made.reads += 1
        with read() as transaction:
            yield transaction

    monkeypatch.setattr(made.plant.store, "read", counted)
    made.settle()
    yield made
    made.plant.store.close()


def test_nothing_is_read_while_nothing_happens(idle):
    before = idle.reads
    for _ in range(REST_STEPS // 2):
        idle.ticker.step()
    assert idle.reads == before


def test_an_engine_that_dies_is_noticed_by_the_next_step(idle):
    assert idle.state() is ReplicaState.READY
    idle.plant.runner.put(ONE, state=ProcessState.BACKING_OFF, pid=None, start=None)
    idle.ticker.step()
    assert idle.state() is ReplicaState.STARTING
    idle.plant.runner.restart(ONE)
    idle.settle()
    assert idle.state() is ReplicaState.READY


def test_what_is_changed_is_looked_at_by_the_next_step(idle):
    before = idle.reads
    idle.plant.tenants.add("op", "another")
    changed = idle.reads
    idle.ticker.step()
    assert changed >= before
    assert idle.reads > changed


def test_a_replica_that_is_not_wanted_goes(idle):
    with idle.plant.changes.change("op") as change:
        change.state.put_deployment(replace(SERVED, replicas=0))
        change.touch()
    idle.settle()
    assert not idle.plant.changes.snapshot().replicas
    assert not idle.plant.runner.views

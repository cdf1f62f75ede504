"""Measuring a deployment: one at a time, on the books, and in force while it stands as measured."""

from dataclasses import replace

import pytest

from inland.domain.capacity import StepModel
from inland.domain.errors import Conflict, NotFound
from inland.domain.plant import EngineKind
from inland.plant.deployments import Order
from inland.plant.measuring import Measuring, Stage
from inland.plant.replicas import EngineRoom, Replicas
from tests.unit.plant.parts import SERVED, AtOnce, ToyProber, ToyRunner, settled
from tests.unit.plant.toy_driver import TOY_MODEL, ToyDriver


@pytest.fixture
def driver(plant):
    return ToyDriver(plant.clock)


@pytest.fixture
def ready(plant):
    _prove(plant)


def _prove(plant):
    """Every replica there is has produced a token."""
    probers = dict.fromkeys(EngineKind, ToyProber())
    room, draining = EngineRoom("/m", "/r", (0, 1)), settled(plant.clock)
    replicas = Replicas(plant.changes, ToyRunner(), probers, room, AtOnce(), draining, dict)
    for _ in range(3):
        replicas.step()
        plant.clock.sleep(1)


@pytest.fixture
def measuring(plant, driver, ready):
    return Measuring(plant.changes, driver, lambda run: run())


def _profile(plant):
    return plant.changes.snapshot().profiles.get("smollm2")


def test_a_measurement_makes_a_profile_that_says_what_the_engine_is(plant, driver, measuring):
    driver.others = 3
    measuring.measure("op", "smollm2")
    last = measuring.last("smollm2")
    assert (last.stage, last.tried, last.left_out) == (Stage.DONE, last.rungs, 0)
    profile = _profile(plant)
    assert profile.error < 0.03
    assert profile.r2 > 0.99
    assert profile.model.prompt_s == pytest.approx(TOY_MODEL.prompt_s, rel=0.05)
    assert profile.knee == 8  # its slots: what it makes still grows there
    assert profile.measured_unix_s == plant.clock.unix_us() // 1_000_000
    runs = len({prompt.split()[0:12].__str__() for prompt in driver.prompts})
    assert runs == len(driver.prompts)  # none finds what another left
    assert profile.beside_tokens == 3 * _drives(last)
    assert {(one.prompt_tokens, one.concurrency) for one in profile.points} >= {(32, 1), (512, 8)}


def _drives(last):
    alone = [one for one in last.points if one.concurrency == 1]
    return len(last.points) + 2 * len(alone) + 1


def test_what_was_measured_is_a_change_on_the_books(plant, measuring):
    before = plant.changes.snapshot().version
    measuring.measure("op", "smollm2")
    (record,) = [one for one in plant.records() if one["what"] == "deployment.measure"]
    assert (record["who"], record["subject"]) == ("op", "smollm2")
    details = record["details"]
    assert details["replica"] == "smollm2-0"
    assert details["prompt_ns"] == pytest.approx(TOY_MODEL.prompt_s * 1e9, rel=0.05)
    assert details["settings"] == "llama.cpp sha256:00 slots=8 context=2048 threads=1"
    assert details["points"][0]["concurrency"] == 1
    assert plant.snapshot.version == before + 1
    assert plant.snapshot.profiles["smollm2"] == _profile(plant)


def test_a_deployment_that_changed_has_no_profile(plant, measuring):
    measuring.measure("op", "smollm2")
    assert _profile(plant) is not None
    with plant.changes.change("op") as change:
        change.state.put_deployment(replace(SERVED, slots=4))
        change.touch()
    assert _profile(plant) is None
    with plant.changes.change("op") as change:
        change.state.put_deployment(SERVED)
        change.touch()
    assert _profile(plant) is not None


def test_a_deployment_that_is_gone_leaves_no_profile(plant, driver, ready):
    plant.deployments.add("op", Order("other", EngineKind.LLAMA_CPP, model="smol"))
    _prove(plant)
    assert "other-0" in plant.changes.snapshot().replicas
    Measuring(plant.changes, driver, lambda run: run()).measure("op", "other")
    assert "other" in plant.changes.snapshot().profiles
    plant.deployments.remove("op", "other")
    plant.deployments.add("op", Order("other", EngineKind.LLAMA_CPP, model="smol"))
    assert "other" not in plant.changes.snapshot().profiles


def test_a_second_measurement_at_the_same_time_is_refused(plant, driver, ready):
    later: list = []
    measuring = Measuring(plant.changes, driver, later.append)
    begun = measuring.measure("op", "smollm2")
    assert (begun.stage, begun.tried) == (Stage.MEASURING, 0)
    with pytest.raises(Conflict, match="is being measured"):
        measuring.measure("op", "smollm2")
    later.pop()()
    assert measuring.last("smollm2").stage is Stage.DONE
    measuring.measure("op", "smollm2")
    assert measuring.last("smollm2").stage is Stage.MEASURING


def test_one_that_is_changed_meanwhile_keeps_what_it_had(plant, driver, ready):
    later: list = []
    measuring = Measuring(plant.changes, driver, later.append)
    measuring.measure("op", "smollm2")
    with plant.changes.change("op") as change:
        change.state.put_deployment(replace(SERVED, context=512))
        change.touch()
    later.pop()()
    last = measuring.last("smollm2")
    assert last.stage is Stage.FAILED
    assert "changed meanwhile" in last.why
    assert _profile(plant) is None
    measuring.measure("op", "smollm2")
    assert measuring.last("smollm2").stage is Stage.MEASURING


def test_a_slow_engine_is_measured_as_far_as_there_is_time(plant, driver, measuring):
    driver.model = StepModel(0.05, 0.0, 0.02, 0.01, 0.0)
    began = plant.clock.monotonic()
    measuring.measure("op", "smollm2")
    last = measuring.last("smollm2")
    assert last.stage is Stage.DONE
    assert 0 < last.left_out < last.rungs
    assert plant.clock.monotonic() - began < 90
    assert _profile(plant).error < 0.1


def test_an_engine_that_answers_nothing_fails_the_measurement_in_time(plant, driver, measuring):
    driver.slots = 0
    began = plant.clock.monotonic()
    measuring.measure("op", "smollm2")
    last = measuring.last("smollm2")
    assert last.stage is Stage.FAILED
    assert "too slow" in last.why
    assert plant.clock.monotonic() - began < 90
    assert _profile(plant) is None


def test_what_breaks_is_told_and_frees_the_way(plant, driver, measuring):
    driver.drive = None
    with pytest.raises(TypeError):
        measuring.measure("op", "smollm2")
    assert measuring.last("smollm2").stage is Stage.FAILED
    assert "fault" in measuring.last("smollm2").why
    del driver.drive
    measuring.measure("op", "smollm2")
    assert measuring.last("smollm2").stage is Stage.DONE


def test_what_cannot_be_measured_is_refused_with_why(plant, driver):
    measuring = Measuring(plant.changes, driver, lambda run: run())
    with pytest.raises(NotFound):
        measuring.measure("op", "nothing")
    with pytest.raises(NotFound):
        measuring.last("smollm2")
    with pytest.raises(Conflict, match="no replica"):
        measuring.measure("op", "smollm2")
    order = Order(
        "far",
        EngineKind.OPENAI,
        url="https://models.example/v1",
        upstream_model="m",
        jurisdiction="DE",
    )
    plant.deployments.add("op", order)
    with pytest.raises(Conflict, match="promises nothing"):
        measuring.measure("op", "far")

"""Refitting as a controller: windows of what gateways counted, and seldom a change."""

from dataclasses import dataclass, replace

import pytest

from inland.decide.capacity import step_s
from inland.domain.capacity import StepModel
from inland.gateway.metrics import Metrics
from inland.plant.refitting import REFIT_S, WINDOW_S, Refitting, traffic
from inland.plant.snapshots import settings_in
from tests.unit.decide.engines import profile
from tests.unit.plant.parts import SERVED

MODEL = StepModel(0.004, 0.0, 0.004, 0.001, 0.0)
SLOWER = StepModel(0.006, 0.0, 0.006, 0.0015, 0.0)


@dataclass
class Gateway:
    """A life of a gateway, whose metrics are real ones."""

    writer: str
    counted: Metrics

    @property
    def metrics(self):
        return self.counted.export({})

    def serve(self, model: StepModel, batch: int) -> None:
        """A window in which `batch` sequences ran all the time."""
        step = step_s(model, batch)
        times = int(batch * WINDOW_S / step)
        timings = self.counted.timings("smollm2")
        timings.steps.add(step, times, batch)
        timings.tokens.completion_tokens += times


@pytest.fixture
def measured(plant):
    with plant.changes.change("op") as change:
        settings = settings_in(change.state, SERVED)
        now = plant.clock.unix_us() // 1_000_000
        found = replace(
            profile(MODEL, (1, 2, 4, 8)),
            deployment="smollm2",
            settings=settings,
            measured_unix_s=now - 10 * 86_400,
        )
        change.state.put_profile(found)
        change.touch()
    return found


@pytest.fixture
def gateway():
    return Gateway("w1", Metrics())


@pytest.fixture
def refitting(plant, gateway):
    heard = [gateway]
    made = Refitting(plant.changes, lambda: heard)
    made.step()
    return made


def _run(plant, refitting, gateway, seconds, model=SLOWER):
    for at in range(int(seconds / WINDOW_S)):
        gateway.serve(model, (2, 4, 8)[at % 3])
        plant.clock.sleep(WINDOW_S)
        refitting.step()


def _profile(plant):
    return plant.changes.snapshot().profiles["smollm2"]


def _refits(plant):
    return [one for one in plant.records() if one["what"] == "deployment.refit"]


def test_traffic_corrects_the_model_and_the_books_say_so(plant, measured, refitting, gateway):
    version = plant.changes.snapshot().version
    _run(plant, refitting, gateway, REFIT_S - WINDOW_S)
    assert _profile(plant) == measured
    _run(plant, refitting, gateway, 2 * WINDOW_S)
    found = _profile(plant)
    assert step_s(found.model, 4) == pytest.approx(step_s(SLOWER, 4), rel=0.2)
    assert found.refitted_unix_s == pytest.approx(plant.clock.unix_us() // 1_000_000, abs=30)
    assert (found.points, found.measured_unix_s) == (measured.points, measured.measured_unix_s)
    (record,) = _refits(plant)
    assert (record["who"], record["subject"]) == ("refitting", "smollm2")
    assert record["details"]["replica"] is None
    assert plant.snapshot.version == version + 1
    _run(plant, refitting, gateway, 4 * REFIT_S)
    assert len(_refits(plant)) <= 2  # what it says already is not said again


def test_traffic_as_measured_writes_nothing(plant, measured, refitting, gateway):
    version = plant.changes.snapshot().version
    _run(plant, refitting, gateway, 3 * REFIT_S, MODEL)
    assert plant.changes.snapshot().version == version
    assert _refits(plant) == []


def test_a_gateways_first_word_is_where_counting_begins(plant, measured, gateway):
    gateway.serve(StepModel(1.0, 0.0, 0.0, 0.0, 0.0), 8)  # in a life before this control's
    heard: list = []
    refitting = Refitting(plant.changes, lambda: heard)
    refitting.step()
    heard.append(gateway)
    plant.clock.sleep(WINDOW_S)
    refitting.step()
    _run(plant, refitting, gateway, 2 * REFIT_S, MODEL)
    assert _refits(plant) == []


def test_a_window_that_something_held_up_is_not_counted(plant, measured, refitting, gateway):
    gateway.serve(SLOWER, 4)
    for _ in range(200):
        plant.clock.sleep(5 * WINDOW_S)
        refitting.step()
        gateway.serve(SLOWER, 4)
    assert _refits(plant) == []


def test_a_new_measurement_begins_anew(plant, measured, refitting, gateway):
    _run(plant, refitting, gateway, REFIT_S - 5 * WINDOW_S)
    now = plant.clock.unix_us() // 1_000_000
    with plant.changes.change("op") as change:
        change.state.put_profile(replace(measured, measured_unix_s=now))
        change.touch()
    _run(plant, refitting, gateway, REFIT_S - 5 * WINDOW_S)
    assert _refits(plant) == []


def test_a_measurement_made_while_traffic_was_weighed_stays(
    plant, measured, refitting, gateway, monkeypatch
):
    newer = replace(measured, measured_unix_s=measured.measured_unix_s + 60)

    def weighed(profile, *_):
        with plant.changes.change("op") as change:
            change.state.put_profile(newer)
            change.touch()
        return replace(profile, knee=profile.knee + 1)

    monkeypatch.setattr("inland.plant.refitting.refitted", weighed)
    _run(plant, refitting, gateway, REFIT_S + 2 * WINDOW_S)
    with plant.store.read() as transaction:
        assert transaction.state.profiles()["smollm2"] == newer


def test_what_is_not_measured_is_not_watched(plant, refitting, gateway):
    _run(plant, refitting, gateway, 2 * REFIT_S)
    assert plant.changes.snapshot().profiles == {}


def test_a_gateways_metrics_say_what_it_counted(gateway):
    gateway.serve(MODEL, 4)
    tokens = gateway.counted.timings("smollm2").tokens
    tokens.prompt_tokens += 70
    tokens.cached_tokens += 30
    gateway.counted.requests.add(("chat", "smollm2", "complete", "200"), 2)
    gateway.counted.requests.add(("chat", "other", "complete", "200"), 5)
    (found,) = traffic(gateway.metrics).values()
    assert found.beside == 4 * found.gaps
    assert found.gap_s / found.gaps == pytest.approx(step_s(MODEL, 4))
    assert (found.prompt_tokens, found.cached_tokens, found.requests) == (70, 30, 2)

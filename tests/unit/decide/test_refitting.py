"""Laws of refitting: traffic is followed slowly, as far as it is believed, in bounded memory."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.capacity import step_s
from inland.decide.refitting import (
    LEAST_WINDOWS,
    MOVED,
    Cell,
    Traffic,
    distance,
    observed,
    refitted,
    since,
    window,
)
from inland.decide.step_fitting import Observation
from inland.domain.capacity import StepModel
from tests.unit.decide.engines import profile

WINDOW_S = 10.0
MODEL = StepModel(0.004, 0.0, 0.004, 0.001, 0.0)
SLOWER = StepModel(0.006, 0.0, 0.006, 0.0015, 0.0)
MEASURED = profile(MODEL)


def _traffic(model: StepModel, batch: int, of_it: int) -> Traffic:
    """What a gateway counts that has `of_it` of `batch` sequences, all through a window."""
    step = step_s(model, batch)
    gaps = of_it * WINDOW_S / step
    return Traffic(gaps=gaps, gap_s=gaps * step, beside=gaps * of_it, completion_tokens=gaps)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=4), st.integers(1, 4))
def test_a_window_says_what_a_step_took_and_how_many_ran(shares, replicas) -> None:
    each = max(1, round(sum(shares) / replicas))
    counted = [_traffic(MODEL, each, share) for share in shares]
    seen = window(counted, WINDOW_S, replicas)
    assert seen is not None
    assert seen.seconds == pytest.approx(step_s(MODEL, each))
    assert seen.batch == pytest.approx(max(1.0, sum(shares) / replicas))
    assert seen.prompt == 0


def test_a_prompt_lengthens_the_gaps_of_all_but_who_sent_it() -> None:
    batch, prompts = 8, 20
    read_s = prompts * 100 * MODEL.prompt_s
    step = step_s(MODEL, batch)
    gaps = batch * (WINDOW_S - read_s) / step
    gap_s = gaps * step + (batch - 1) * read_s
    asked = prompts * 150.0
    counted = Traffic(gaps, gap_s, gaps * batch, asked, asked - prompts * 100, gaps, prompts)
    seen = window([counted], WINDOW_S, 1)
    assert seen is not None
    assert step_s(MODEL, seen.batch, 0, seen.prompt) == pytest.approx(seen.seconds, rel=1e-6)


def test_too_few_gaps_or_nonsense_say_nothing() -> None:
    assert window([], WINDOW_S, 1) is None
    few = replace(_traffic(MODEL, 1, 1), gaps=10.0)
    assert window([few], WINDOW_S, 1) is None
    for wrong in (float("nan"), float("inf"), -1.0):
        assert window([replace(_traffic(MODEL, 4, 4), gap_s=wrong)], WINDOW_S, 1) is None
        assert window([replace(_traffic(MODEL, 4, 4), prompt_tokens=wrong)], WINDOW_S, 1) is None


def test_counting_since_is_a_difference() -> None:
    before = _traffic(MODEL, 4, 2)
    both = Traffic(before.gaps + 5, before.gap_s + 1, before.beside + 3, 7, 2, 9, 1)
    after = since(before, both)
    assert (after.gaps, after.beside, after.prompt_tokens, after.requests) == (5, 3, 7, 1)


def _watched(model: StepModel, hours: float, batches: tuple[int, ...]) -> dict[int, Cell]:
    cells: dict[int, Cell] = {}
    for at in range(int(hours * 360)):
        seen = window([_traffic(model, (batch := batches[at % len(batches)]), batch)], WINDOW_S, 1)
        assert seen is not None
        cells = observed(cells, seen, at * WINDOW_S)
    return cells


def test_an_engine_that_became_slower_is_followed() -> None:
    cells = _watched(SLOWER, 3, (2, 6, 12))
    found = refitted(MEASURED, cells, 3 * 3600, 16)
    assert found is not None
    for batch in (1, 2, 6, 12, 16):
        assert step_s(found.model, batch) == pytest.approx(step_s(SLOWER, batch), rel=0.06)
    assert found.model.prompt_s == pytest.approx(SLOWER.prompt_s, rel=0.1)  # though none was seen
    assert found.points == MEASURED.points
    assert found.error > 0


def test_the_longer_it_is_seen_the_more_it_is_believed() -> None:
    steps = []
    for hours in (0.1, 0.3, 2.0):
        found = refitted(MEASURED, _watched(SLOWER, hours, (4, 8)), hours * 3600, 16)
        assert found is not None
        steps.append(step_s(found.model, 8, 0, 64))
    assert steps == sorted(steps)
    assert step_s(MODEL, 8, 0, 64) * 1.1 < steps[0] < steps[-1] <= step_s(SLOWER, 8, 0, 64)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=6))
@settings(max_examples=20)
def test_traffic_as_measured_changes_nothing(batches) -> None:
    cells = _watched(MODEL, 0.2, tuple(batches))
    assert refitted(MEASURED, cells, 720, 16) is None


def test_a_little_traffic_changes_nothing() -> None:
    seen = Observation(8, 0, 0, step_s(SLOWER, 8))
    cells: dict[int, Cell] = {}
    for at in range(int(LEAST_WINDOWS) - 1):
        cells = observed(cells, seen, at * WINDOW_S)
    assert refitted(MEASURED, cells, 60, 16) is None
    old = _watched(SLOWER, 1, (8,))
    assert refitted(MEASURED, old, 24 * 3600, 16) is None  # forgotten by now


def test_what_cannot_be_believed_changes_nothing() -> None:
    hopeless = StepModel(0.05, 0.0, 0.05, 0.01, 0.0)
    cells = _watched(hopeless, 3, (1, 4, 8, 16))
    assert refitted(MEASURED, cells, 3 * 3600, 16) is None


@given(st.lists(st.floats(1, 1024), max_size=200))
def test_memory_is_bounded_whatever_runs(batches) -> None:
    cells: dict[int, Cell] = {}
    for at, batch in enumerate(batches):
        cells = observed(cells, Observation(batch, 0, 0, 0.01), at * WINDOW_S)
    assert len(cells) <= 21
    assert sum(cell.windows for cell in cells.values()) <= len(batches)


def test_distance_is_how_much_slower_one_is() -> None:
    assert distance(MODEL, MODEL, 8) == 0
    assert distance(MODEL, SLOWER, 8) == pytest.approx(0.5)
    assert distance(SLOWER, MODEL, 8) == pytest.approx(0.5)
    assert MOVED < 0.5

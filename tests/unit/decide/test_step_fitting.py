"""Laws of fitting: a model is recovered from what it makes of a ladder, noise and pauses or not."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.capacity import step_s, tokens_per_s
from inland.decide.step_fitting import Observation, fit, goodness
from inland.domain.capacity import StepModel
from tests.unit.decide.engines import MODELS

#: (batch, tokens each holds, prompt tokens read)
LADDER = [(k, each, 0) for k in (1, 2, 4, 8, 16, 32) for each in (48, 144, 528)] + [
    (1, 0, prompt) for prompt in (32, 128, 512, 1024)
]


def _seen(model: StepModel, noise: random.Random | None = None) -> list[Observation]:
    seen = []
    for batch, each, prompt in LADDER:
        seconds = step_s(model, batch, batch * each, prompt)
        factor = 1 + noise.uniform(-0.1, 0.1) if noise is not None else 1.0
        seen.append(Observation(batch, batch * each, prompt, seconds * factor))
    return seen


@given(MODELS)
@settings(max_examples=60)
def test_a_model_is_recovered_from_what_it_makes_of_a_ladder(model) -> None:
    found = fit(_seen(model))
    assert found.error < 0.05
    for batch in (1, 2, 4, 8, 16, 32):  # between two of them nothing was seen
        true = tokens_per_s(model, batch, 300)
        assert tokens_per_s(found.model, batch, 300) == pytest.approx(true, rel=0.05)


@given(MODELS, st.integers(0, 2**32))
@settings(max_examples=60)
def test_noise_is_averaged_rather_than_followed(model, seed) -> None:
    found = fit(_seen(model, random.Random(seed)))
    for batch, each, prompt in LADDER:
        true = step_s(model, batch, batch * each, prompt)
        said = step_s(found.model, batch, batch * each, prompt)
        assert said == pytest.approx(true, rel=0.2)
    assert found.error < 0.35


@given(MODELS, st.integers(0, len(LADDER) - 1))
@settings(max_examples=60)
def test_a_pause_of_the_machine_does_not_bend_the_model(model, paused) -> None:
    seen = _seen(model)
    seen[paused] = replace(seen[paused], seconds=seen[paused].seconds * 8)
    found = fit(seen).model
    others = [one for at, one in enumerate(LADDER) if at != paused]
    missed = [
        abs(step_s(found, k, k * each, p) / step_s(model, k, k * each, p) - 1)
        for k, each, p in others
    ]
    assert sorted(missed)[len(missed) // 2] < 0.05


@given(MODELS)
@settings(max_examples=30)
def test_nothing_is_ever_negative_however_little_was_seen(model) -> None:
    seen = _seen(model)
    for few in (seen[:1], seen[:2], seen[:3], seen[-2:]):
        found = fit(few).model
        assert (
            min(
                found.overhead_s, found.weights_s, found.sequence_s, found.prompt_s, found.context_s
            )
            >= 0
        )


def test_goodness_says_how_far_off_a_model_is() -> None:
    model = StepModel(0.001, 0.0, 0.002, 0.0005, 0.0)
    seen = _seen(model)
    error, r2 = goodness(model, seen)
    assert error < 1e-9
    assert r2 == pytest.approx(1.0)
    slower = [replace(one, seconds=one.seconds * 2) for one in seen]
    error, r2 = goodness(model, slower)
    assert error == pytest.approx(0.5)
    assert r2 < 0.9


def test_of_nothing_no_model_is_made() -> None:
    for seen in ([], [Observation(1, 0, 0, 0.0)]):
        with pytest.raises(ValueError, match="observed"):
            fit(seen)

"""Laws of capacity: what follows from a step-time model, whatever the model is."""

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.capacity import (
    charged,
    expected_ttft_s,
    knee,
    largest_batch,
    most_measured,
    prompt_charge,
    step_s,
    tokens_per_s,
    ttft_s,
)
from inland.domain.capacity import Point
from tests.unit.decide.engines import MODELS, contexts

BATCHES = st.integers(1, 256)
PROMPTS = st.integers(0, 4096)


@given(MODELS, BATCHES, contexts(), PROMPTS)
def test_a_step_grows_with_all_it_does(model, batch, context, prompt) -> None:
    least = step_s(model, batch, context, prompt)
    assert least >= model.overhead_s + model.weights_s
    assert step_s(model, batch + 1, context, prompt) >= least
    assert step_s(model, batch, context + 1, prompt) >= least
    assert step_s(model, batch, context, prompt + 1) >= least


@given(MODELS, BATCHES, contexts())
def test_a_larger_batch_never_makes_fewer_tokens(model, batch, context) -> None:
    assert tokens_per_s(model, batch + 1, context) >= tokens_per_s(model, batch, context) * 0.999999
    assert tokens_per_s(model, 0, context) == 0.0


@given(MODELS, BATCHES, PROMPTS, contexts(), PROMPTS)
def test_whoever_joins_waits_for_the_step_under_way_and_his_own(
    model, batch, prompt, context, beside
) -> None:
    others = batch - 1
    own_s = step_s(model, batch, others * context, prompt)
    longest_s = ttft_s(model, batch, prompt, context, beside)
    if others or beside:
        assert longest_s == step_s(model, others, others * context, beside) + own_s
    else:
        assert longest_s == own_s
    expected_s = expected_ttft_s(model, batch, prompt, context)
    assert own_s <= expected_s <= ttft_s(model, batch, prompt, context)


@given(MODELS, st.floats(0.001, 20), PROMPTS, st.integers(0, 300), contexts())
def test_the_largest_batch_meets_the_objective_and_one_more_does_not(
    model, objective_s, prompt, most, context
) -> None:
    batch = largest_batch(model, objective_s, prompt, most, context)
    assert 0 <= batch <= most
    if batch:
        assert ttft_s(model, batch, prompt, context) <= objective_s
    if batch < most:
        assert ttft_s(model, batch + 1, prompt, context) > objective_s


@given(MODELS, BATCHES, PROMPTS, st.integers(0, 4096))
def test_a_charge_is_the_time_an_engine_spends(model, batch, prompt, completion) -> None:
    """At a given batch, tokens charged over tokens/s are the seconds that the request takes."""
    seconds = charged(model, batch, prompt, completion) / tokens_per_s(model, batch)
    work_s = prompt * model.prompt_s + completion * step_s(model, batch) / batch
    assert abs(seconds - work_s) <= 1e-9 + 1e-6 * work_s
    assert prompt_charge(model, batch) >= 0


def test_the_knee_is_where_tokens_stop_growing() -> None:
    rates = {1: 100.0, 2: 180.0, 4: 297.0, 8: 300.0, 16: 310.0}
    points = [Point(64, at, 900.0, rate, at / rate) for at, rate in rates.items()]
    slower = [Point(512, at, 900.0, rate / 2, at / rate) for at, rate in rates.items()]
    assert knee(points) == knee(points + slower) == 4
    assert most_measured(points) == 16
    assert knee([]) == 1
    assert most_measured([]) == 0

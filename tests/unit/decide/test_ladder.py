"""Laws of the ladder: it asks for what fits, and sees no more than there was."""

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.ladder import TOKENS, Rung, lasting_s, observations, point, prompt, rungs
from inland.domain.capacity import Point, Stream


@given(st.integers(1, 1024), st.integers(128, 1_048_576))
def test_rungs_fit_the_deployment_and_come_cheapest_first(slots, context) -> None:
    ladder = rungs(slots, context)
    assert {one.concurrency for one in ladder} >= {1, slots}
    assert all(1 <= one.concurrency <= slots for one in ladder)
    assert all(0 < one.prompt_tokens <= context - TOKENS for one in ladder)
    costs = [one.prompt_tokens * one.concurrency * one.times for one in ladder]
    assert costs == sorted(costs)
    assert len(ladder) == len({(one.prompt_tokens, one.concurrency) for one in ladder}) <= 44


@given(st.integers(1, 2**60), st.integers(1, 500), st.integers(12, 600))
def test_no_two_prompts_begin_alike(number, further, tokens) -> None:
    one, other = prompt(number, tokens), prompt(number + further, tokens)
    assert len(one.split()) == len(other.split()) == tokens
    assert one.split()[:2] != other.split()[:2]


def _streams(count: int, first: float, step: float, tokens: int = 20) -> list[Stream]:
    times = tuple((first + step * at, at + 1) for at in range(tokens))
    return [Stream(times, 64, tokens) for _ in range(count)]


def test_a_rung_is_what_its_streams_were_while_all_of_them_ran() -> None:
    found = point(2, [_streams(2, 0.5, 0.02)])
    assert found is not None
    assert (found.prompt_tokens, found.concurrency) == (64, 2)
    assert abs(found.step_s - 0.02) < 1e-9
    assert abs(found.decode_tokens_per_s - 100) < 1e-6
    assert abs(found.prefill_tokens_per_s - 256) < 1e-6
    assert 64 + 2 <= found.context_tokens <= 64 + 20


def test_several_tokens_that_arrive_at_once_are_several_steps() -> None:
    times = tuple((0.1 + 0.08 * at, 1 + 4 * at) for at in range(10))
    found = point(1, [[Stream(times, 64, 37)]])
    assert found is not None
    assert abs(found.step_s - 0.02) < 1e-9


def test_requests_that_did_not_run_together_say_nothing() -> None:
    early, late = _streams(1, 0.1, 0.02), _streams(1, 9.0, 0.02)
    assert point(2, [[*early, *late]]) is None
    assert point(2, [early]) is None
    assert point(1, [[Stream((), 0, 0)]]) is None
    assert point(1, [_streams(1, 0.1, 0.02, tokens=4)]) is None


def test_one_pause_among_several_tries_is_left_out() -> None:
    tries = [_streams(1, 0.5, 0.02), _streams(1, 7.0, 0.9), _streams(1, 0.5, 0.02)]
    found = point(1, tries)
    assert found is not None
    assert abs(found.step_s - 0.02) < 1e-9
    assert abs(found.prefill_tokens_per_s - 128) < 1e-6


def test_what_is_seen_tells_how_long_the_next_rung_lasts() -> None:
    assert lasting_s(Rung(512, 8), []) == 0.0
    seen = [Point(32, 1, 1000.0, 50.0, 0.02), Point(32, 2, 500.0, 50.0, 0.04)]
    assert abs(lasting_s(Rung(512, 4), seen) - (512 * 4 / 500 + 32 * 0.08)) < 1e-9


def test_only_prompts_read_alone_say_what_reading_takes() -> None:
    seen = [Point(64, 1, 128.0, 50.0, 0.02, 80.0), Point(64, 4, 100.0, 80.0, 0.05, 80.0)]
    steps = observations(seen)
    assert [(one.batch, one.prompt) for one in steps] == [(1, 0), (4, 0), (1, 64)]
    assert [one.context for one in steps] == [80.0, 320.0, 0]
    assert steps[2].seconds == 0.5

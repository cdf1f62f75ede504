"""Verdicts: what the records say of a contract, the same for whoever computes it."""

from dataclasses import asdict
from itertools import groupby
from random import Random

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inland.decide.verdicts import Cause, Fact, Minutes, Terms, nearest_rank
from tests.unit.decide.plain_verdicts import verdict

MINUTE = 60_000_000
BASE = 30_000_000  # a Unix minute
TERMS = Terms(10, 1000, 512, 0, 100_000, 0, 0)


def request(at_s, ttft_s, seconds, tokens, outcome="complete", prompt=10, **more):
    """A record of one request that arrived at a second of minute BASE."""
    return {
        "kind": "request",
        "route": "chat.completions",
        "time": BASE * MINUTE + round(at_s * 1e6),
        "ttft_us": None if ttft_s is None else round(ttft_s * 1e6),
        "duration_us": round(seconds * 1e6),
        "completion_tokens": tokens,
        "prompt_tokens": prompt,
        "cached_tokens": 0,
        "outcome": outcome,
        **more,
    }


def refusal(at_s, status, count=1, **more):
    when = BASE * MINUTE + round(at_s * 1e6)
    return {"kind": "refusal", "time": when, "status": status, "count": count, **more}


def minutes(records, terms=TERMS, first=BASE - 2, last=BASE + 5):
    made = Minutes(terms, first, last)
    for record in records:
        made.add(msgspec.convert(record, Fact))
    return {one.minute_unix_s // 60: one for one in made.verdicts()}


def only(records, terms=TERMS):
    """The one minute in which anything happened."""
    (found,) = minutes(records, terms).values()
    return found


def test_a_minute_is_met_when_all_of_it_was_in_time():
    found = only([request(1, 0.2, 3, 40), request(5, 1.0, 4, 40)])
    assert (found.cause, found.requests, found.lost) == (None, 2, 0)
    assert (found.ttft_p95_us, found.served_tokens, found.owed_tokens) == (1_000_000, 82, 0)


def test_nobody_asked_is_not_exercised():
    assert minutes([]) == {}
    assert minutes([refusal(1, 403, 9), refusal(2, 404), refusal(3, 400)]) == {}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_refusal_of_ours_within_the_contract_is_a_breach(status):
    found = only([request(1, 0.2, 3, 40), refusal(2, status)])
    assert (found.cause, found.requests, found.lost) == (Cause.CAPACITY_LOST, 2, 1)


def test_what_a_budget_refused_is_the_tenants_affair():
    assert minutes([refusal(1, 429, 9, code="insufficient_quota")]) == {}
    found = only([request(1, 0.2, 3, 40), refusal(2, 429, 9, code="insufficient_quota")])
    assert (found.cause, found.requests, found.lost) == (None, 1, 0)
    assert only([refusal(1, 503, code="budget_unknown")]).cause is Cause.CAPACITY_LOST


@pytest.mark.parametrize("outcome", ["failed", "interrupted"])
def test_an_answer_that_was_cut_is_a_breach_unless_policy_cut_it(outcome):
    assert only([request(1, 0.2, 3, 4, outcome)]).cause is Cause.CAPACITY_LOST
    assert only([request(1, 0.2, 3, 4, outcome, status=502)]).cause is Cause.CAPACITY_LOST
    assert only([request(1, 0.2, 3, 4, outcome, status=403)]).cause is None


def test_a_95th_percentile_beyond_the_objective_is_a_breach():
    in_time, late = request(1, 1.0, 2, 1), request(2, 1.000001, 2, 1)
    assert only([in_time] * 19 + [late]).cause is None
    assert only([in_time] * 18 + [late] * 2).cause is Cause.ENGINE_SLOW


def test_prompts_longer_than_the_contract_says_promise_nothing():
    assert only([request(1, 9, 10, 1, prompt=513)]).cause is None
    assert only([request(1, 9, 10, 1, prompt=512)]).cause is Cause.ENGINE_SLOW


def test_an_embedding_has_no_first_token_to_be_late():
    assert only([request(1, 9, 10, 0, route="embeddings")]).cause is None
    assert only([request(1, 9, 10, 0, "failed", route="embeddings")]).cause is not None


def test_a_caller_that_left_waiting_too_long_counts_as_late_and_one_that_left_early_does_not():
    assert only([request(1, None, 0.9, 0, "hung-up")]).cause is None
    assert only([request(1, None, 1.1, 0, "hung-up")]).cause is Cause.ENGINE_SLOW
    assert only([refusal(1, 499, waited_ms=990)]).cause is None
    assert only([refusal(1, 499, waited_ms=1100)]).cause is Cause.ENGINE_SLOW


def test_what_is_refused_beyond_the_contract_is_the_callers_when_all_that_was_owed_was_served():
    flood = [request(0, 0.5, 50, 600), refusal(0, 429, 3)]
    found = only(flood)
    assert (found.cause, found.wanted_tokens) == (Cause.OVER_CONTRACT, 2404)
    starved = [request(0, 0.5, 50, 500), refusal(0, 429, 3)]
    assert only(starved).cause is Cause.CAPACITY_LOST


def test_a_burst_is_within_the_contract():
    burst = Terms(10, 1000, 512, 5000, 100_000, 0, 0)
    flood = [request(0, 0.5, 50, 600), refusal(0, 429, 3)]
    assert only(flood, burst).cause is Cause.CAPACITY_LOST


def test_what_comes_late_in_a_minute_is_owed_from_then_on():
    flood = [request(54, 0.5, 5, 60), refusal(55, 429, 20)]
    found = only(flood)
    assert (found.cause, found.owed_tokens) == (Cause.OVER_CONTRACT, 40)
    assert only([request(54, 0.5, 5, 38), refusal(55, 429, 20)]).cause is Cause.CAPACITY_LOST


def test_who_waits_through_a_minute_without_an_objective_is_owed_the_rate():
    terms = Terms(10, None, 512, 0, 0, 0, 0)
    found = minutes([request(30, 200, 260, 6000)], terms)
    causes = [found[BASE + n].cause for n in range(5)]
    assert causes == [None, *[Cause.ENGINE_SLOW] * 2, None, None]
    assert [found[BASE + n].owed_tokens for n in range(3)] == [0, 300, 600]


def test_an_answer_is_spread_over_the_minutes_it_came_in():
    found = minutes([request(50, 0, 100, 101, prompt=20)])
    assert [found[BASE + n].served_tokens for n in range(3)] == [2 + 10, 60, 30]
    assert {one.requests for one in found.values()} == {0, 1}


def test_slow_answers_are_a_breach_where_the_contract_leaves_them_their_pace():
    terms = Terms(10, 1000, 512, 0, 0, 5_000_000, 0)
    slow, apace = request(0, 0.5, 119, 400), request(0, 0.5, 119, 600)

    def first(records):
        return minutes(records, terms)[BASE]

    assert first([slow]).cause is Cause.ENGINE_SLOW
    assert (first([slow]).served_tokens, first([slow]).owed_tokens) == (200, 297)
    assert first([apace]).cause is None
    assert first([{**slow, "stalled_us": 1}]).cause is None
    assert first([slow] * 3).cause is None, "together they had all that was sold"


def test_only_whole_minutes_in_force_are_judged():
    terms = Terms(10, 1000, 512, 0, 0, 0, BASE * 60 + 1, (BASE + 2) * 60 + 59)
    made = Minutes(terms, 0, 10**9)
    assert len(made) == 1
    late = {**request(0, 5, 6, 1)}
    for number in range(4):
        made.add(msgspec.convert({**late, "time": (BASE + number) * MINUTE}, Fact))
    assert [one.minute_unix_s for one in made.verdicts()] == [(BASE + 1) * 60]


def test_nearest_rank_is_a_value_that_was_measured():
    assert nearest_rank([], 95) is None
    assert nearest_rank([7], 95) == 7
    assert nearest_rank(list(range(1, 101)), 95) == 95
    assert nearest_rank(list(range(1, 21)), 95) == 19


SECONDS = st.one_of(st.sampled_from([0, 59.999999, 60, 120]), st.floats(-130, 200))
REQUESTS = st.builds(
    request,
    SECONDS,
    st.one_of(st.none(), st.floats(0, 150), st.sampled_from([0, 1, 60])),
    st.one_of(st.floats(0, 200), st.sampled_from([0, 60])),
    st.integers(0, 3000),
    st.sampled_from(["complete", "complete", "hung-up", "failed", "interrupted"]),
    prompt=st.sampled_from([0, 10, 512, 513]),
    status=st.sampled_from([None, 200, 403, 429, 503]),
    route=st.sampled_from(["chat.completions", "embeddings"]),
    stalled_us=st.sampled_from([0, 0, 5]),
)
REFUSALS = st.builds(
    refusal,
    SECONDS,
    st.sampled_from([400, 403, 429, 499, 503]),
    st.integers(1, 5),
    waited_ms=st.sampled_from([0, 1000, 1001]),
    code=st.sampled_from(["busy", "insufficient_quota"]),
)
SOLD = st.builds(
    Terms,
    st.sampled_from([0, 1, 10, 100]),
    st.sampled_from([None, 1, 1000, 60_000]),
    st.just(512),
    st.sampled_from([0, 500]),
    st.sampled_from([0, 1, 333_333, 2_000_000]),
    st.sampled_from([0, 1, 7_777_777]),
    st.just(0),
)


@given(st.lists(st.one_of(REQUESTS, REFUSALS), max_size=12), SOLD)
@example([request(30, 60, 60, 5)], TERMS)
def test_whoever_recomputes_it_from_the_records_gets_the_same(records, terms):
    found = minutes(records, terms)
    for number in range(BASE - 2, BASE + 5):
        ours = found.get(number)
        fields = None if ours is None else list(asdict(ours).values())[1:]
        plain = verdict(records, asdict(terms), number)
        assert fields == (None if plain is None else list(plain)), number


@given(st.lists(st.one_of(REQUESTS, REFUSALS), max_size=8), SOLD, st.randoms())
def test_the_order_of_booking_says_nothing(records, terms, chance: Random):
    shuffled = list(records)
    chance.shuffle(shuffled)
    assert minutes(shuffled, terms) == minutes(records, terms)


@given(st.lists(REQUESTS, max_size=8), SOLD)
def test_no_token_is_counted_twice_or_lost(records, terms):
    made = Minutes(terms, BASE - 10, BASE + 20)
    for record in records:
        made.add(msgspec.convert(record, Fact))
    served = sum(one.served for one in made._minutes.values())
    prompts = sum(one["prompt_tokens"] * terms.prompt_ppm for one in records)
    assert served == prompts + sum(one["completion_tokens"] * 10**6 for one in records)
    assert all(len(list(one)) == 1 for _, one in groupby(sorted(made._minutes)))

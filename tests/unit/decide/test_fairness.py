"""Laws of shares, over random arrivals in simulated time: bounded, conserving, starving nobody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.admission import step
from inland.decide.admission_events import (
    Action,
    Arrive,
    Bounds,
    Done,
    Parts,
    Progress,
    Refuse,
    Start,
    Terms,
    Tick,
    Up,
    Why,
)
from inland.decide.admission_log import first_line, line, replay
from inland.decide.admission_state import State
from inland.decide.turns import batches_of
from inland.domain.capacity import Point, Profile, StepModel
from inland.domain.contracts import Contract, Tier
from tests.unit.decide.crowd import any_wait_s, contract, crowd, reserved_wait_s

#: 20 ms a step and 1 ms for each sequence; a prompt token takes a tenth of one.
MODEL = StepModel(0.02, 0.0, 0.001, 0.0001, 0.0)
PROFILE = Profile("d", 0, "", (Point(64, 16, 1e4, 400.0, 0.036),), MODEL, 16, 0.0, 1.0)


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_a_crowd_of_tenants_is_served_within_the_bounds(seed):
    """Between those who wait: the service bound. For all: work conservation and no starvation. For
    whoever is within its contract: no wait but for the slots."""
    made = crowd(seed)
    made.run(20)
    assert made.longest_wait_s <= any_wait_s(made)
    assert made.longest_reserved_wait_s <= reserved_wait_s(made)


def feed(state, *events, now=0.0):
    actions: list[Action] = []
    for event in events:
        state, more = step(state, event, now)
        actions += more
    return actions


def started(actions):
    return [one.request for one in actions if isinstance(one, Start)]


def test_weights_divide_what_is_served():
    state, counts, number = State(), {"one": 0, "three": 0}, 1000
    feed(state, Terms((contract("one"), contract("three", weight=3))), Up("r", 1))
    feed(state, *[Arrive(n, "one") for n in range(100)])
    feed(state, *[Arrive(n, "three") for n in range(100, 200)])
    running = 0
    for _ in range(80):
        counts["one" if running < 100 else "three"] += 1
        (running,) = started(feed(state, Done(running, 0, 10)))
        number += 1
    assert 57 <= counts["three"] <= 63


def test_whoever_returns_from_idleness_has_saved_nothing_up():
    state = State()
    feed(state, Up("r", 1), Arrive(0, "busy"))
    for n in range(1, 50):
        feed(state, Arrive(n, "busy"), Done(n - 1, 0, 100))
    feed(state, *[Arrive(n, "busy") for n in range(50, 60)])
    feed(state, *[Arrive(n, "back") for n in range(100, 110)])
    order, running = [], 49
    for _ in range(8):
        (running,) = started(feed(state, Done(running, 0, 100)))
        order.append(running >= 100)
    assert 3 <= sum(order) <= 5


def test_a_tier_goes_first_and_the_next_still_has_a_turn():
    state = State()
    terms = Terms((contract("now", tier=Tier.INTERACTIVE), contract("later", tier=Tier.BATCH)))
    feed(state, terms, Up("r", 1), Arrive(0, "now"), Arrive(1, "later"))
    running, turns = 0, 0
    for n in range(2, 100):
        feed(state, Arrive(n, "now"))
        (running,) = started(feed(state, Done(running, 0, 10)))
        turns += 1
        if running == 1:
            break
    assert 30 <= turns <= 34


def test_a_tenants_batches_wait_for_everybody_else_and_for_itself():
    """They take turns apart from it, whatever it has bought, after who has no contract at all."""
    state, batch = State(), batches_of("bought")
    feed(state, Terms((contract("bought", 10, tier=Tier.INTERACTIVE),)), Up("r", 1))
    feed(state, Arrive(0, batch), *[Arrive(n, batch) for n in range(1, 4)])
    feed(state, Arrive(10, "bought"), Arrive(20, "nobody"))
    order, running = [], 0
    for _ in range(5):
        (running,) = started(feed(state, Done(running, 0, 10)))
        order.append(running)
    assert order == [10, 20, 1, 2, 3]


def test_reserved_tokens_go_first_until_they_are_used_up():
    """Ten a second: a minute's are there at first; then it is one of two."""
    state = State()
    feed(state, Terms((contract("bought", 10),)), Up("r", 1), Arrive(0, "flood"))
    feed(state, *[Arrive(n, "flood") for n in range(1, 100)])
    feed(state, *[Arrive(n, "bought") for n in range(100, 200)])
    order, running = [], 0
    for _ in range(30):
        (running,) = started(feed(state, Done(running, 0, 60)))
        order.append(running >= 100)
    assert all(order[:10])
    assert 8 <= sum(order[12:]) <= 10


def test_what_is_charged_ahead_is_settled_on_what_was_counted():
    state = State()
    feed(state, Up("r", 4), Arrive(0, "a", 1, 1000, 500))
    account = state.turns.accounts["a"]
    assert account.served > 0
    feed(state, Progress(0, 400))
    assert account.served >= 400 + 500
    feed(state, Done(0, 40, 410))
    assert account.served == pytest.approx(410 + 20)


def flooded(objective_ms, slots=16):
    """A flood on all it can have, and a contract that promises a TTFT."""
    state = State()
    promised = Contract("c", "quiet", "d", 20, ttft_ms=objective_ms, prompt_tokens=64)
    feed(state, Terms((promised,), PROFILE), Up("r", slots))
    return state, started(feed(state, *[Arrive(n, "flood", 1, 8, 100) for n in range(32)]))


def test_the_strictest_objective_chooses_the_batch_and_a_slot_is_kept():
    """A step of b sequences takes 20 + b ms; whoever comes waits for one and is read in the next,
    with 6.4 ms of prompt: 60 ms allow seven in all, 400 ms as many as there are."""
    for objective_ms, most in ((60, 7), (400, 16), (1, 2)):
        state, running = flooded(objective_ms)
        assert len(running) == most - 1
        assert started(feed(state, Arrive(100, "quiet", 1, 8, 100))) == [100]
        assert not started(feed(state, Arrive(101, "quiet", 1, 8, 100)))
        assert started(feed(state, Done(100, 8, 100))) == [101], "what is kept stays its own"
        (flood,) = started(feed(state, Done(0, 8, 100)))
        assert flood < 100


def test_a_tenant_beyond_its_contract_is_one_of_all():
    state, _ = flooded(60)
    feed(state, Arrive(100, "quiet", 1, 8, 10_000), Done(100, 8, 60 * 20 + 1))
    assert not started(feed(state, Arrive(101, "quiet", 1, 8, 100)))
    assert started(feed(state, Arrive(102, "quiet", 1, 8, 100), now=10.0)) == [101]


def test_a_wait_beyond_the_bound_is_refused_at_once_and_told_how_long_it_would_be():
    state = State(Bounds(waiting_per_tenant=1 << 20, waiting_total=1 << 20, wait_s=10))
    feed(state, Terms((), PROFILE), Up("r", 16), Arrive(0, "a", 1, 0, 100), Done(0, 0, 100))
    pace = 16 / 0.036
    refused = []
    for n in range(1, 200):
        refused += [a for a in feed(state, Arrive(n, "a", 1, 0, 100)) if isinstance(a, Refuse)]
    first = refused[0]
    waiting = first.request - 1 - 16
    assert first.why is Why.LATE
    assert waiting == pytest.approx(10 * pace / 100, abs=2)
    assert first.retry_after_s == 1
    assert not [a for a in feed(state, Arrive(300, "b", 1, 0, 100)) if isinstance(a, Refuse)]


def test_a_full_queue_says_when_it_will_have_room():
    state = State(Bounds(waiting_per_tenant=2, wait_s=1000))
    feed(state, Terms((), PROFILE), Up("r", 1), Arrive(0, "a", 1, 0, 600), Done(0, 0, 600))
    (*_, refused) = feed(state, *[Arrive(n, "a", 1, 0, 600) for n in range(1, 5)])
    assert refused == Refuse(4, Why.FULL, 13)  # 600 tokens at 21 ms each


def test_a_log_replayed_leads_to_the_same_actions_and_a_changed_one_does_not():
    bounds = Bounds(wait_s=5)
    state, lines = State(bounds), [first_line(bounds)]
    events = [Terms((contract("a", 5, 2, Tier.BATCH),), PROFILE), Up("r", 1), Arrive(0, "a", 1, 9)]
    events += [Arrive(1, "b", prefix=-7), Progress(0, 1), Parts({"a": 0.5}), Done(0, 9, 4), Tick()]
    for at, event in enumerate(events):
        state, actions = step(state, event, at / 3)
        lines.append(line(at / 3, event, actions))
    assert replay(lines) == (len(events), [])
    assert replay([*lines[:3], *lines[4:]])[1], "without its first request"


def test_nobody_waits_longer_than_there_is_time():
    state = State(Bounds(wait_s=5))
    feed(state, Up("r", 1), Arrive(0, "a"), Arrive(1, "b"))
    feed(state, Arrive(2, "b"), now=3.0)
    assert [a.request for a in feed(state, Tick(), now=5.0)] == [1]
    assert [a.request for a in feed(state, Tick(), now=8.0)] == [2]


def test_of_one_tenants_requests_that_came_together_one_that_begins_like_the_last_goes_first():
    state = State()
    feed(state, Up("r", 1), Arrive(0, "a", prefix=7), Arrive(1, "a", prefix=8))
    feed(state, Arrive(2, "a", prefix=7), Arrive(3, "b", prefix=7))
    feed(state, Arrive(4, "a", prefix=7), now=1.0)
    order = [started(feed(state, Done(n, 0, 10)))[0] for n in (0, 2, 3)]
    assert order == [2, 3, 1]

"""Laws of the choice between replicas: it fits, it is the soonest, load elsewhere is no reason."""

import random
from heapq import heappop, heappush

from hypothesis import assume, given
from hypothesis import strategies as st

from inland.decide.admission import step
from inland.decide.admission_events import Arrive, Done, Progress, Start, Up
from inland.decide.admission_state import State
from inland.decide.routing import SLOWEST, Load, expected_ttft_s, seen_slowness, soonest
from inland.domain.capacity import StepModel

SECONDS = st.floats(0, 0.1)
MODELS = st.none() | st.builds(StepModel, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS)
LOADS = st.builds(
    Load,
    slots=st.integers(1, 16),
    used=st.integers(0, 16),
    unread_tokens=st.integers(0, 20_000),
    context_tokens=st.integers(0, 20_000),
    slowness=st.floats(1 / SLOWEST, SLOWEST),
    is_open=st.booleans(),
)
REPLICAS = st.dictionaries(st.sampled_from("abcdef"), LOADS)
SLOTS = st.integers(1, 4)
PROMPT = st.integers(0, 8192)


@given(REPLICAS, SLOTS, PROMPT, MODELS)
def test_it_is_open_has_room_and_is_the_soonest(
    loads: dict[str, Load], slots: int, prompt: int, model: StepModel | None
) -> None:
    fits = {name for name, load in loads.items() if load.is_open and load.free >= slots}
    chosen = soonest(loads, slots, prompt, model)
    if not fits:
        assert chosen is None
        return
    assert chosen in fits
    expected = {name: expected_ttft_s(loads[name], slots, prompt, model) for name in fits}
    assert expected[chosen] == min(expected.values())


@given(REPLICAS, SLOTS, PROMPT, MODELS, st.randoms(use_true_random=False))
def test_the_order_they_are_told_in_changes_nothing(
    loads: dict[str, Load],
    slots: int,
    prompt: int,
    model: StepModel | None,
    shuffler: random.Random,
) -> None:
    names = list(loads)
    shuffler.shuffle(names)
    shuffled = {name: loads[name] for name in names}
    assert soonest(shuffled, slots, prompt, model) == soonest(loads, slots, prompt, model)


@given(REPLICAS, SLOTS, PROMPT, MODELS, st.integers(1, 50_000))
def test_more_to_read_elsewhere_never_changes_the_choice(
    loads: dict[str, Load], slots: int, prompt: int, model: StepModel | None, more: int
) -> None:
    loads["a"] = Load(8)
    chosen = soonest(loads, slots, prompt, model)
    for name, load in loads.items():
        load.unread_tokens += more if name != chosen else 0
    assert soonest(loads, slots, prompt, model) == chosen


@given(LOADS, SLOTS, PROMPT, MODELS, st.floats(1.01, 4))
def test_of_two_alike_the_slower_one_is_passed_by(
    load: Load, slots: int, prompt: int, model: StepModel | None, factor: float
) -> None:
    load.is_open, load.slots = True, load.used + slots
    assume(expected_ttft_s(load, slots, prompt, model) > 1e-9)
    slower = Load(
        load.slots, load.used, load.unread_tokens, load.context_tokens, load.slowness * factor
    )
    assert soonest({"a": slower, "b": load}, slots, prompt, model) == "b"


def test_a_prompt_that_was_read_there_before_is_a_reason_to_go_back() -> None:
    loads = {"a": Load(4), "b": Load(4, used=1)}
    assert soonest(loads, 1, 400, None) == "a"
    assert soonest(loads, 1, 400, None, {"b": 400}) == "b"


def test_a_long_prompt_unread_outweighs_a_free_slot_more() -> None:
    loads = {"a": Load(4, used=1, unread_tokens=2000), "b": Load(4, used=3, unread_tokens=10)}
    assert soonest(loads, 1, 50, None) == "b"


@given(LOADS, st.floats(1e-3, 10), st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_what_is_believed_of_a_replicas_speed_stays_bounded(
    load: Load, expected_s: float, observed: list[float]
) -> None:
    for observed_s in observed:
        load.slowness = seen_slowness(load, expected_s, observed_s)
        assert 1 / SLOWEST - 1e-9 <= load.slowness <= SLOWEST + 1e-9


def test_a_replica_that_is_slow_for_good_is_found_out_and_one_pause_is_forgiven() -> None:
    model = StepModel(0.01, 0.0, 0.0, 0.0, 0.0)
    slow, paused = Load(4), Load(4)
    paused.slowness = seen_slowness(paused, 0.01, 30.0)
    for _ in range(200):
        for load, takes_s in ((slow, 0.03), (paused, 0.01)):
            expected_s = expected_ttft_s(load, 1, 0, model)
            load.slowness = seen_slowness(load, expected_s, takes_s)
    assert 2.9 < slow.slowness < 3.1
    assert 0.9 < paused.slowness < 1.1


def test_a_slower_replica_is_sent_less_once_it_was_seen_to_be_slow() -> None:
    """Two replicas, one three times slower, through admission itself in simulated time."""
    state, took, sent = State(), {"fast": 0.1, "slow": 0.3}, {"fast": 0, "slow": 0}
    for name in took:
        state, _ = step(state, Up(name, 4), 0.0)
    due: list[tuple[float, int]] = []
    now = 0.0
    for number in range(600):
        now += 0.06
        while due and due[0][0] <= now:
            at, done = heappop(due)
            state, _ = step(state, Progress(done, 1), at)
            state, _ = step(state, Done(done, completion=1), at)
        state, actions = step(state, Arrive(number, "t", prompt_estimate=50), now)
        (start,) = actions
        assert isinstance(start, Start)
        sent[start.replica] += number >= 300
        heappush(due, (now + took[start.replica], number))
    assert sent["fast"] > 20 * sent["slow"]

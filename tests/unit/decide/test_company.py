"""Laws of requests under adapters, of which a replica works on one at a time: those that may run
together do, nobody is overtaken more often than is said, and nobody starves."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.admission import step
from inland.decide.admission_events import Action, Arrive, Bounds, Done, Event, Start, Terms, Up
from inland.decide.admission_state import State
from inland.domain.capacity import Point, Profile, StepModel
from inland.domain.contracts import Contract
from tests.unit.decide.crowd import any_wait_s, under_adapters

MODEL = StepModel(0.02, 0.0, 0.001, 0.0001, 0.0)
PROFILE = Profile("d", 0, "", (Point(64, 16, 1e4, 400.0, 0.036),), MODEL, 16, 0.0, 1.0)
OVERTAKES = 3


def fresh(slots: int = 4, replicas: int = 1) -> State:
    state = State(Bounds(overtakes=OVERTAKES))
    for number in range(replicas):
        feed(state, Up(f"r{number}", slots))
    return state


def feed(state: State, *events: Event) -> list[int]:
    """The requests that these start."""
    actions: list[Action] = []
    for event in events:
        state, more = step(state, event, 0.0)
        actions += more
    return [one.request for one in actions if isinstance(one, Start)]


def under(number: int, adapter: str | None, tenant: str | None = None) -> Arrive:
    """A request of the adapter's own tenant, if of no other."""
    return Arrive(number, tenant or f"of-{adapter}", adapter=adapter)


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_a_crowd_under_adapters_is_served_within_the_bounds(seed):
    """The service bound, with as many more as may overtake; one adapter at a time; no starvation;
    and no slot idles for one who may have it."""
    made = under_adapters(seed)
    made.run(20)
    assert made.longest_wait_s <= any_wait_s(made)


def test_what_is_at_work_gets_company_and_another_adapter_waits_for_its_end():
    state = fresh()
    assert feed(state, under(0, "a"), under(1, "b"), under(2, "a")) == [0, 2]
    assert feed(state, Done(0)) == []
    assert feed(state, Done(2)) == [1]


def test_the_base_is_one_of_them_and_what_runs_beside_anything_is_not():
    state = fresh()
    assert feed(state, under(0, "a"), under(1, ""), under(2, None)) == [0, 2]
    assert feed(state, Done(2), Done(0)) == [1]
    state = fresh()
    assert feed(state, *[under(n, None, f"t{n}") for n in range(4)]) == [0, 1, 2, 3]


def test_whoever_is_next_is_overtaken_so_often_and_no_more():
    """However many come under the adapter at work."""
    state = fresh(2)
    feed(state, under(0, "a"), under(1, "b"))
    began = feed(state, *[under(n, "a", f"t{n}") for n in range(2, 20)])
    last = 0
    while True:
        more = feed(state, Done(last))
        began += more
        if not more or 1 in more:
            break
        last = more[0]
    assert len([n for n in began if n != 1]) == OVERTAKES
    while 1 not in began:
        began += feed(state, Done(next(iter(n for n in began if n in state.requests))))
    assert began.index(1) == OVERTAKES


def test_behind_the_next_in_turn_the_others_are_not_counted_as_overtaken():
    """Only so does each group of many find as much company as the first."""
    state = fresh(8)
    feed(state, under(0, "a"))
    feed(state, *[under(10 * n + m, f"b{n}") for n in range(1, 6) for m in range(3)])
    running, groups = [0], []
    for _ in range(5):
        began: list[int] = []
        for one in running:
            began += feed(state, Done(one))
        groups.append(began)
        running = began
    assert [len(one) for one in groups] == [3] * 5
    assert all(len({n // 10 for n in one}) == 1 for one in groups)


def test_of_one_tenants_requests_those_that_may_run_do():
    """As when two releases of one name are answered by turns."""
    state = fresh()
    told = [under(0, "old", "acme"), under(1, "new", "acme"), under(2, "old", "acme")]
    assert feed(state, *told) == [0, 2]
    assert feed(state, Done(0), Done(2)) == [1]


def test_a_replica_that_is_idle_takes_the_other_adapter():
    state = fresh(4, 2)
    assert feed(state, under(0, "a"), under(1, "b"), under(2, "c")) == [0, 1]
    assert feed(state, Done(1)) == [2]


def test_what_is_kept_for_a_contract_is_there_whatever_is_at_work():
    state = fresh(16)
    promised = Contract("c", "quiet", "d", 20, ttft_ms=400, prompt_tokens=64)
    feed(state, Terms((promised,), PROFILE))
    feed(state, *[Arrive(n, "flood", 1, 8, 100, adapter="a") for n in range(32)])
    assert feed(state, Arrive(100, "quiet", 1, 8, 100, adapter="b")) == [100]

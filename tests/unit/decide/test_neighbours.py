"""What one tenant of a deployment can do to the others: nothing that its part does not allow."""

from inland.decide.admission import step
from inland.decide.admission_events import (
    Action,
    Arrive,
    Bounds,
    Done,
    Parts,
    Refuse,
    Terms,
    Up,
    Why,
)
from inland.decide.admission_state import State
from inland.decide.turns import ACCOUNTS
from inland.domain.contracts import Contract, Tier

BOUNDS = Bounds(waiting_per_tenant=3, waiting_total=8, wait_s=10, overtakes=2)
PROMISED = Contract("c", "bought", "d", 10, ttft_ms=60, prompt_tokens=64)


def feed(state, *events, now=0.0):
    actions: list[Action] = []
    for event in events:
        state, more = step(state, event, now)
        actions += more
    return actions


def started(actions):
    return [one.request for one in actions if not isinstance(one, Refuse)]


def full():
    """Four tenants that fill the queue over all tenants, beside a contract that has begun."""
    state = State(BOUNDS)
    feed(state, Terms((PROMISED,)), Up("r", 2), Arrive(900, "bought"))
    feed(state, *[Arrive(n, f"t{n % 4}") for n in range(9)])
    assert state.waiting == BOUNDS.waiting_total
    return state


def test_a_queue_that_others_filled_is_not_full_for_who_keeps_within_its_contract():
    state = full()
    assert feed(state, *[Arrive(n, "bought") for n in range(100, 103)]) == []
    assert feed(state, Arrive(103, "bought")) == [Refuse(103, Why.FULL, 1)]


def test_a_queue_that_others_filled_has_room_for_one_request_of_who_has_none_there():
    state = full()
    assert feed(state, Arrive(100, "quiet")) == []
    assert feed(state, Arrive(101, "quiet")) == [Refuse(101, Why.FULL, 1)]


def test_a_contract_that_is_used_up_overtakes_a_large_request_no_oftener_than_others():
    state = State(BOUNDS)
    feed(state, Terms((PROMISED,)), Up("r", 4))
    feed(state, Arrive(0, "bought", 1, 0, 10_000), Done(0, 0, 10_000))
    feed(state, Arrive(1, "other"), Arrive(2, "large", 3))
    began = 0
    for n in range(10, 20):
        began += len(started(feed(state, Arrive(n, "bought"))))
        feed(state, Done(n, 0, 10))
    assert began <= BOUNDS.overtakes
    assert started(feed(state, Done(1, 0, 10))) == [2]


def test_a_request_larger_than_what_is_kept_takes_its_turn_like_any_other():
    """A lower tier's turn is not passed by: reserved tokens go first in at most 32 in a row."""
    state = State()
    later = Contract("l", "later", "d", 0, tier=Tier.BATCH)
    feed(state, Terms((Contract("c", "bought", "d", 1000, ttft_ms=60), later)), Up("r", 3))
    feed(state, Arrive(0, "bought", 2), Arrive(1, "later"), Arrive(2, "bought", 2))
    running = [0]
    for n in range(3, 60):
        feed(state, Arrive(n, "bought", 2))
        running = started(feed(state, Done(running[0], 0, 1)))
        if 1 in running:
            break
    assert 1 in running


def test_a_request_that_no_share_of_ours_can_hold_holds_nobody_up():
    """Of several gateways one may have fewer slots than are asked for: the deal may change."""
    state = State(BOUNDS)
    feed(state, Up("r", 2, 2), Arrive(0, "a"), Arrive(1, "b"), Arrive(2, "large", 4))
    for n in range(3, 20):
        feed(state, Arrive(n, "a"))
        assert started(feed(state, Done(n - 3 if n < 5 else n - 2, 0, 10))) == [n]


def test_who_changes_its_tier_is_neither_behind_nor_ahead_of_those_who_are_there():
    for before in (0, 1000):
        state = State()
        feed(state, Terms((Contract("o", "old", "d", 0, tier=Tier.INTERACTIVE),)), Up("r", 1))
        for tenant, answers in (("old", 100), ("new", before)):
            for _ in range(answers):
                feed(state, Arrive(0, tenant), Done(0, 0, 100))
        contracts = [Contract(one, one, "d", 0, tier=Tier.INTERACTIVE) for one in ("old", "new")]
        feed(state, Terms(tuple(contracts)), Arrive(2, "old"))
        feed(state, *[Arrive(n, "old") for n in range(3, 20)])
        feed(state, *[Arrive(n, "new") for n in range(100, 120)])
        order, running = [], 2
        for _ in range(10):
            (running,) = started(feed(state, Done(running, 0, 100)))
            order.append(running >= 100)
        assert 4 <= sum(order) <= 6


def test_tenants_that_owe_nothing_and_have_nothing_here_are_forgotten():
    state = State()
    feed(state, Terms((PROMISED,)), Up("r", 4), Parts({"elsewhere": 0.5}))
    feed(state, Arrive(0, "large"), Done(0, 0, 10_000))  # it owes, beside who comes next
    feed(state, Arrive(1, "small"), Done(1, 0, 1))
    state.turns.accounts["large"].served += 1e9
    feed(state, Arrive(2, "busy"))
    for n in range(10, 10 + 4 * ACCOUNTS):
        feed(state, Arrive(n, f"t{n}"), Done(n, 0, 1))
    accounts = state.turns.accounts
    assert len(accounts) <= 2 * ACCOUNTS
    assert {"bought", "elsewhere", "busy", "large"} <= accounts.keys()
    assert len(started(feed(state, Arrive(3, "busy"), Arrive(4, "large")))) == 2


def test_what_is_given_back_is_what_was_taken_whatever_part_holds_by_then():
    """Else who moves its demand between gateways, and hangs up, is paid for it."""
    for terms in ((), (Contract("c", "a", "d", 10),)):
        state = State()
        feed(state, Terms(terms), Up("r", 1), Arrive(0, "a", 1, 0, 1000))
        account = state.turns.accounts["a"]
        feed(state, Done(0, 0, 1000))
        counters = account.served, account.paid_until
        feed(state, Arrive(1, "a", 1, 0, 1000), Parts({"a": 0.0625}), Done(1, 0, 0))
        assert (account.served, account.paid_until) == counters


def test_a_contract_that_ended_gives_nothing_back_of_what_it_paid():
    state = State()
    feed(state, Terms((Contract("c", "a", "d", 10),)), Up("r", 1), Arrive(0, "a", 1, 0, 1000))
    feed(state, Terms(()), Done(0, 0, 0))
    assert state.turns.accounts["a"].served == 0

"""Who runs next on one deployment: bounded queues, one per tenant, slots counted, tokens charged.

A state machine, `step(state, event, now) -> (state, actions)`, the same live and in the twin. `now`
is monotonic seconds. The state handed in is used up: go on with the one returned. The order of
tenants is `decide/turns.py`'s, how slots divide `decide/pools.py`'s.
"""

# Laws: never more slots running on a replica than it has; no common slot idles while a request that
# may run fits it, and what is kept for a tenant is there when it comes; a request is overtaken by
# later ones that fit at most `overtakes` times, and no class of tenants waits for ever, so none
# starves; nobody waits longer than `wait_s`.
#
# A request under one adapter does not fit beside those under another. Whoever is next in turn and
# waits for that alone is who the others overtake: those at work get company, the rest of the line
# keeps its order, and after `overtakes` of them nobody begins there until what runs has ended.
#
# A step costs O(log n) in the tenants that wait, and more only where heads of queues ask for more
# slots than are free, or for another adapter: each of those is looked at, of the latter `_APART`.

from heapq import heappop, heappush
from itertools import islice

from inland.decide.admission_events import (
    Action,
    Arrive,
    Done,
    Down,
    Event,
    GivenUp,
    Parts,
    Progress,
    Refuse,
    Return,
    Start,
    Terms,
    Tick,
    Up,
    Why,
)
from inland.decide.admission_state import (
    Replica,
    State,
    expected,
    expected_wait_s,
    progress,
    retry_after_s,
    settle,
    was_read,
    whole_s,
)
from inland.decide.pools import divide
from inland.decide.routing import expected_ttft_s, soonest
from inland.decide.turns import Account, Waiting

#: When a caller may ask again, in seconds, where nothing measured says: of a full queue, of one
#: that waited too long, of replicas that all failed.
_AFTER_FULL_S, _AFTER_WAIT_S, _AFTER_FAILURE_S = 1, 5, 10
#: Entries of requests that began, among those that wait by age, before they are thrown out.
_SPARE = 1024
#: Requests of one tenant that came this close together are looked at for one that begins like the
#: tenant's last, and how many of them.
_TIE_S, _TIED = 0.02, 4
#: Heads of queues under other adapters that are passed by, in one turn, to find company for what
#: runs; and how many of one tenant's requests are looked at for that.
_APART, _AMONG = 256, 16
#: More slots than any replica has.
_MOST_SLOTS = 1 << 30
NOTHING: tuple[Action, ...] = ()


def step(state: State, event: Event, now: float) -> tuple[State, tuple[Action, ...]]:
    """Take in one event; what is to be done about it."""
    match event:
        case Arrive():
            return state, _arrive(state, event, now)
        case Progress():
            progress(state, event, now)
            return state, NOTHING
        case Done():
            return state, _done(state, event, now)
        case Return():
            return state, _return(state, event.request, now)
        case Tick():
            return state, _expire(state, now)
        case GivenUp():
            state.given_up = True
            return state, _turn_out(state, Why.GIVEN_UP, _waiting(state))
        case Down():
            _down(state, event.replica)
            return state, NOTHING
        case Up() | Terms() | Parts():
            _take_over(state, event, now)
            return state, _dispatch(state, now)


def _take_over(state: State, event: Up | Terms | Parts, now: float) -> None:
    """Slots, contracts or shares are others from now on."""
    match event:
        case Up():
            _up(state, event)
        case Terms():
            _agree(state, event, now)
        case Parts():
            state.turns.divide(event.parts)


# -- requests


def _arrive(state: State, event: Arrive, now: float) -> tuple[Action, ...]:
    assert event.request not in state.requests
    account = state.turns.account(event.tenant)
    request = Waiting(
        event.request,
        event.tenant,
        event.slots,
        now,
        event.prompt_estimate,
        event.most,
        event.prefix,
        event.adapter,
    )
    if not state.waiting or _may_be_kept(account, event.slots, now):  # it needs no queue
        replica = None if account.queue else _place(state, account, request, now)
        if replica is not None:
            state.requests[event.request] = request
            state.turns.pass_by(account, now)
            return (_start(state, account, request, replica, now),)
    if refusal := _turned_away(state, event, account, now):
        return (refusal,)
    state.requests[event.request] = request
    _enqueue(state, account, request, now)
    return _dispatch(state, now)


def _turned_away(state: State, event: Arrive, account: Account, now: float) -> Refuse | None:
    if state.given_up:
        return Refuse(event.request, Why.GIVEN_UP, _AFTER_FAILURE_S)
    if state.replicas and event.slots > max(_most(r) for r in state.replicas.values()):
        return Refuse(event.request, Why.TOO_LARGE, 0)
    if _is_full(state, account, now):
        return Refuse(event.request, Why.FULL, retry_after_s(state, account, 0.0, _AFTER_FULL_S))
    wait_s = expected_wait_s(state, account)
    if wait_s is not None and wait_s > state.bounds.wait_s and not account.has_reserved(now):
        after_s = whole_s(wait_s - state.bounds.wait_s)
        return Refuse(event.request, Why.LATE, after_s)
    return None


def _is_full(state: State, account: Account, now: float) -> bool:
    """What others have waiting keeps out neither a first request, nor who keeps to its contract."""
    if len(account.queue) >= state.bounds.waiting_per_tenant:
        return True
    entitled = not account.queue or account.has_reserved(now)
    return state.waiting >= state.bounds.waiting_total and not entitled


def _enqueue(
    state: State, account: Account, request: Waiting, now: float, *, first: bool = False
) -> None:
    if not account.queue:
        state.turns.join(account, now)
    account.queue[request.id] = request
    if first:
        account.queue.move_to_end(request.id, last=False)
    request.expected = expected(state, account, request)
    account.backlog += request.expected
    state.waiting += 1
    if len(state.since) > 2 * state.waiting + _SPARE:
        state.since = sorted((one.since, one.id) for one in _waiting(state))
    heappush(state.since, (request.since, request.id))


def _done(state: State, event: Done, now: float) -> tuple[Action, ...]:
    request = state.requests.pop(event.request, None)
    if request is None:
        return NOTHING
    account = state.turns.accounts[request.tenant]
    if request.replica is None:
        _leave_queue(state, account, request)
    else:
        settle(state, account, request, event)
        _free(state, account, request)
    return _dispatch(state, now) if state.waiting else NOTHING


def _return(state: State, request_id: int, now: float) -> tuple[Action, ...]:
    request = state.requests.get(request_id)
    if request is None or request.replica is None:
        return NOTHING
    account = state.turns.accounts[request.tenant]
    state.turns.charge(account, request, -request.charged)
    request.completion, request.seen, request.divisor = 0.0, 0, 0.0
    _free(state, account, request)
    request.since = now
    _enqueue(state, account, request, now, first=True)
    if state.given_up:
        return _turn_out(state, Why.GIVEN_UP, [request])
    return _dispatch(state, now)


def _leave_queue(state: State, account: Account, request: Waiting) -> None:
    del account.queue[request.id]
    state.waiting -= 1
    account.backlog -= request.expected
    if not account.queue:
        account.backlog = 0.0
        state.turns.leave(account)


def _waiting(state: State) -> list[Waiting]:
    return [one for one in state.requests.values() if one.replica is None]


def _turn_out(state: State, why: Why, waiting: list[Waiting]) -> tuple[Action, ...]:
    """Refuse requests that wait."""
    after = _AFTER_FAILURE_S if why is Why.GIVEN_UP else _AFTER_WAIT_S
    refused: list[Action] = []
    for request in waiting:
        account = state.turns.accounts[request.tenant]
        del state.requests[request.id]
        _leave_queue(state, account, request)
        if why is Why.WAITED:
            after = retry_after_s(state, account, account.backlog, _AFTER_WAIT_S)
        refused.append(Refuse(request.id, why, after))
    return tuple(refused)


def _expire(state: State, now: float) -> tuple[Action, ...]:
    oldest, late = now - state.bounds.wait_s, {}
    while state.since and state.since[0][0] <= oldest:
        request = state.requests.get(heappop(state.since)[1])
        if request is not None and request.replica is None and request.since <= oldest:
            late[request.id] = request  # one that came back is there more than once
    return _turn_out(state, Why.WAITED, list(late.values())) + _dispatch(state, now)


# -- slots


def _free(state: State, account: Account, request: Waiting) -> None:
    assert request.replica is not None
    replica = state.replicas[request.replica]
    if not request.read:
        was_read(state, request)
    replica.used -= request.slots
    account.running -= request.slots
    replica.end(request.adapter)
    if request.kept:
        account.kept -= request.slots
    else:
        replica.others -= request.slots
    if not replica.is_open and replica.used == 0:
        del state.replicas[request.replica]
    request.replica, request.kept, request.read = None, False, False


def _up(state: State, event: Up) -> None:
    assert event.slots >= 0
    state.given_up = False
    replica = state.replicas.get(event.replica)
    if replica is None:
        replica = state.replicas[event.replica] = Replica(event.slots)
    replica.slots, replica.is_open, replica.told = event.slots, True, event.common
    _divide(state)


def _down(state: State, name: str) -> None:
    replica = state.replicas.get(name)
    if replica is None:
        return
    replica.is_open = False
    if replica.used == 0:
        del state.replicas[name]
    _divide(state)


def _agree(state: State, terms: Terms, now: float) -> None:
    state.terms = terms
    state.turns.agree({one.tenant: one for one in terms.contracts}, now)
    _divide(state)


def _divide(state: State) -> None:
    """How many slots are common follows from the terms, unless control says it."""
    up = [one for one in state.replicas.values() if one.is_open]
    terms = state.terms
    slots = terms.slots or max((one.slots for one in up), default=1)
    state.pools = divide(terms.contracts, terms.profile, max(1, slots), len(up))
    for one in up:
        one.common = min(one.slots, state.pools.common) if one.told is None else one.told
    needs = state.pools.needs
    for account in state.promised:
        account.need = 0
    state.promised = [state.turns.account(tenant) for tenant in needs]
    for account in state.promised:
        account.need = needs[account.tenant]


def _most(replica: Replica) -> int:
    """Slots a request may ask for: of those control deals out there may be more in a moment."""
    return replica.slots if replica.told is None else _MOST_SLOTS


def _is_common(replica: Replica, slots: int) -> bool:
    """Whether common slots are free; one that asks for more than there are runs beside no other."""
    others = replica.others
    return others + slots <= replica.common or (others == 0 and replica.common > 0)


def _place(state: State, account: Account, request: Waiting, now: float) -> str | None:
    """The replica where it may begin now: in a slot kept for its tenant, or a common one."""
    slots = request.slots
    request.kept = kept = account.need > 0 and _may_be_kept(account, slots, now)
    found: dict[str, Replica] | None = None
    only: str | None = None
    for name, one in state.replicas.items():
        fits = one.is_open and one.slots - one.used >= slots
        if fits and (kept or (_is_common(one, slots) and one.takes(request.adapter))):
            if only is None:
                only = name
            elif found is None:
                found = {only: state.replicas[only], name: one}
            else:
                found[name] = one
    if found is None:
        return only
    profile = state.terms.profile
    return soonest(found, slots, request.prompt, None if profile is None else profile.model)


def _may_be_kept(account: Account, slots: int, now: float) -> bool:
    """Within its contract only: beyond it a tenant is one of all."""
    return account.kept + slots <= account.need and account.has_reserved(now)


def _start(state: State, account: Account, request: Waiting, name: str, now: float) -> Start:
    """`request` begins where `_place` said."""
    replica = state.replicas[name]
    if len(state.replicas) > 1:
        profile = state.terms.profile
        model = None if profile is None else profile.model
        request.began = now
        request.expects_s = expected_ttft_s(replica, request.slots, request.prompt, model)
    replica.used += request.slots
    replica.begin(request.adapter)
    replica.unread_tokens += request.prompt
    account.running += request.slots
    request.replica, request.read = name, False
    if request.kept:
        account.kept += request.slots
    else:
        replica.others += request.slots
    account.prefix = request.prefix
    request.reserved = account.has_reserved(now)
    cost = expected(state, account, request)
    request.completion = cost - request.prompt * state.pools.prompt_charge
    state.turns.charge(account, request, cost)
    return Start(request.id, name)


# -- turns


def _dispatch(state: State, now: float) -> tuple[Action, ...]:
    """Start what fits, tenants in turn. One that was overtaken too often holds the others back."""
    actions: list[Action] = []
    while state.waiting and (started := _one_turn(state, now)) is not None:
        actions.append(started)
    return tuple(actions)


def _one_turn(state: State, now: float) -> Start | None:
    for account in state.promised:  # what is kept for them is theirs at once
        head = _head(account) if account.queue else None
        if head is not None and _may_be_kept(account, head.slots, now):
            replica = _place(state, account, head, now)
            if replica is not None:
                return _begin(state, account, head, replica, now)
    if not has_room(state):
        return None
    return _next(state, now)


def has_room(state: State) -> bool:
    """Whether a request of one slot could begin somewhere."""
    return any(
        one.is_open and one.slots > one.used and _is_common(one, 1)
        for one in state.replicas.values()
    )


def _next(state: State, now: float) -> Start | None:
    """The first in turn whose request fits."""
    skipped: list[Waiting] = []
    due: Waiting | None = None  # next in turn, but for the adapter at work
    apart = 0
    turns = state.turns.in_turn(now)
    for number, account in turns:
        head = _head(account)
        replica = _place(state, account, head, now)
        if replica is None and _is_apart(state, head):
            due, apart = due or head, apart + 1
            if due.overtaken >= state.bounds.overtakes or apart > _APART:
                break
            head = _company(state, account) or head
            replica = _place(state, account, head, now)
        elif replica is None:
            if head.overtaken >= state.bounds.overtakes and _would_fit(state, head):
                break
            skipped.append(head)
        if replica is None:
            continue
        turns.close()
        for passed in (*skipped, *([due] if due is not None else [])):
            passed.overtaken += 1
        state.turns.took(number)
        return _begin(state, account, head, replica, now)
    turns.close()
    return None


def _is_apart(state: State, request: Waiting) -> bool:
    """Whether it would begin somewhere, were it not for the adapter at work there."""
    return request.adapter is not None and any(
        one.is_open
        and one.slots - one.used >= request.slots
        and _is_common(one, request.slots)
        and not one.takes(request.adapter)
        for one in state.replicas.values()
    )


def _company(state: State, account: Account) -> Waiting | None:
    """Of the tenant's other requests the first that runs beside what runs."""
    for other in islice(account.queue.values(), _AMONG):
        if any(one.is_open and one.takes(other.adapter) for one in state.replicas.values()):
            return other
    return None


def _would_fit(state: State, request: Waiting) -> bool:
    """Whether slots that come free make room for it, and not only another share of them."""
    return any(one.is_open and one.slots >= request.slots for one in state.replicas.values())


def _head(account: Account) -> Waiting:
    """Its oldest request, or one as good as as old that begins like the last one that ran."""
    queue = account.queue
    head = next(iter(queue.values()))
    if len(queue) == 1 or head.prefix == account.prefix or head.overtaken:
        return head
    for count, other in enumerate(queue.values()):
        if count > _TIED or other.since > head.since + _TIE_S:
            break
        if other.prefix and other.prefix == account.prefix and other.slots <= head.slots:
            return other
    return head


def _begin(state: State, account: Account, request: Waiting, replica: str, now: float) -> Start:
    _leave_queue(state, account, request)
    return _start(state, account, request, replica, now)

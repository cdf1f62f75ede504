"""Who runs next on one deployment: bounded queues, one per tenant, served in turn, slots counted.

A state machine, `step(state, event, now) -> (state, actions)`, the same live and in the twin. `now`
is monotonic seconds. The state handed in is used up: go on with the one returned.
"""

# Laws: never more slots running on a replica than it has; no slot idles while a request fits it; a
# request is overtaken by later turns at most `overtakes` times, so none starves.

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec


@dataclass(frozen=True, slots=True)
class Bounds:
    """`waiting_per_tenant` and `waiting_total`: requests. `wait_s`: longest time in the queue."""

    waiting_per_tenant: int = 256
    waiting_total: int = 4096
    wait_s: float = 30.0
    overtakes: int = 8


class Arrive(msgspec.Struct, frozen=True, gc=False):
    """A request wants `slots` slots of one replica."""

    request: int
    tenant: str
    slots: int = 1


class Return(msgspec.Struct, frozen=True, gc=False):
    """A started request could not be served there: it goes back to the head of its tenant's queue.

    It may wait as long as one that comes now: what it was worked on does not count as waiting. Who
    sends it back bounds how often.
    """

    request: int


class Done(msgspec.Struct, frozen=True, gc=False):
    """A request ended, was given up, or left: waiting or running, it holds nothing any more."""

    request: int


class Up(msgspec.Struct, frozen=True, gc=False):
    """A replica works and has `slots` slots."""

    replica: str
    slots: int


class Down(msgspec.Struct, frozen=True, gc=False):
    """A replica takes no new requests. Those it runs end by `Done` or come back by `Return`."""

    replica: str


class GivenUp(msgspec.Struct, frozen=True, gc=False):
    """Every replica failed for good: waiting is hopeless until one is `Up` again."""


class Tick(msgspec.Struct, frozen=True, gc=False):
    """Time passed."""


Event = Arrive | Return | Done | Up | Down | GivenUp | Tick


class Why(StrEnum):
    """Why a request was turned away."""

    FULL = "full"
    WAITED = "waited"
    TOO_LARGE = "too-large"
    GIVEN_UP = "given-up"


class Start(msgspec.Struct, frozen=True, gc=False):
    """Run this request on this replica now."""

    request: int
    replica: str


class Refuse(msgspec.Struct, frozen=True, gc=False):
    """Turn this request away; `retry_after_s` is when it may try again."""

    request: int
    why: Why
    retry_after_s: int


Action = Start | Refuse


class _Request(msgspec.Struct, gc=False):
    id: int
    tenant: str
    slots: int
    since: float
    overtaken: int = 0
    replica: str | None = None


class _Replica(msgspec.Struct, gc=False):
    slots: int
    used: int = 0
    up: bool = True


@dataclass(slots=True)
class State:
    """One deployment's queues and slots. `turns` holds the tenants that wait, next turn first."""

    bounds: Bounds = field(default_factory=Bounds)
    requests: dict[int, _Request] = field(default_factory=dict)
    turns: OrderedDict[str, deque[_Request]] = field(default_factory=OrderedDict)
    replicas: dict[str, _Replica] = field(default_factory=dict)
    waiting: int = 0
    given_up: bool = False


#: When a caller may ask again whose request waited too long, and one whose replicas all failed.
_AFTER_WAIT_S, _AFTER_FAILURE_S = 5, 10
NOTHING: tuple[Action, ...] = ()


def step(state: State, event: Event, now: float) -> tuple[State, tuple[Action, ...]]:
    """Take in one event; what is to be done about it."""
    match event:
        case Arrive():
            return state, _arrive(state, event, now)
        case Done():
            return state, _done(state, event.request)
        case Return():
            return state, _return(state, event.request, now)
        case Up():
            _up(state, event)
            return state, _dispatch(state)
        case Down():
            _down(state, event.replica)
            return state, NOTHING
        case GivenUp():
            state.given_up = True
            return state, _turn_out(state, Why.GIVEN_UP, _AFTER_FAILURE_S, _waiting(state))
        case Tick():
            return state, _expire(state, now)


def _arrive(state: State, event: Arrive, now: float) -> tuple[Action, ...]:
    assert event.request not in state.requests
    request = _Request(event.request, event.tenant, event.slots, now)
    if not state.turns:  # nobody waits: the common case needs no queue
        replica = _roomiest(state, event.slots)
        if replica is not None:
            state.requests[event.request] = request
            return (_start(state, request, replica),)
    if refusal := _turned_away(state, event):
        return (refusal,)
    state.requests[event.request] = request
    _enqueue(state, request)
    return _dispatch(state)


def _turned_away(state: State, event: Arrive) -> Refuse | None:
    if state.given_up:
        return Refuse(event.request, Why.GIVEN_UP, _AFTER_FAILURE_S)
    if state.replicas and event.slots > max(r.slots for r in state.replicas.values()):
        return Refuse(event.request, Why.TOO_LARGE, 0)
    full = len(state.turns.get(event.tenant, ())) >= state.bounds.waiting_per_tenant
    if full or state.waiting >= state.bounds.waiting_total:
        return Refuse(event.request, Why.FULL, 1)
    return None


def _enqueue(state: State, request: _Request, *, first: bool = False) -> None:
    queue = state.turns.get(request.tenant)
    if queue is None:
        queue = state.turns[request.tenant] = deque()
    if first:
        queue.appendleft(request)
        state.turns.move_to_end(request.tenant, last=False)
    else:
        queue.append(request)
    state.waiting += 1


def _done(state: State, request_id: int) -> tuple[Action, ...]:
    request = state.requests.pop(request_id, None)
    if request is None:
        return NOTHING
    if request.replica is None:
        _leave_queue(state, request)
    else:
        _free(state, request)
    return _dispatch(state) if state.turns else NOTHING


def _return(state: State, request_id: int, now: float) -> tuple[Action, ...]:
    request = state.requests.get(request_id)
    if request is None or request.replica is None:
        return NOTHING
    _free(state, request)
    request.since = now
    _enqueue(state, request, first=True)
    if state.given_up:
        return _turn_out(state, Why.GIVEN_UP, _AFTER_FAILURE_S, [request])
    return _dispatch(state)


def _free(state: State, request: _Request) -> None:
    assert request.replica is not None
    replica = state.replicas[request.replica]
    replica.used -= request.slots
    if not replica.up and replica.used == 0:
        del state.replicas[request.replica]
    request.replica = None


def _leave_queue(state: State, request: _Request) -> None:
    queue = state.turns[request.tenant]
    queue.remove(request)
    state.waiting -= 1
    if not queue:
        del state.turns[request.tenant]


def _up(state: State, event: Up) -> None:
    assert event.slots > 0
    state.given_up = False
    replica = state.replicas.get(event.replica)
    if replica is None:
        state.replicas[event.replica] = _Replica(event.slots)
    else:
        replica.slots, replica.up = event.slots, True


def _down(state: State, name: str) -> None:
    replica = state.replicas.get(name)
    if replica is None:
        return
    replica.up = False
    if replica.used == 0:
        del state.replicas[name]


def _expire(state: State, now: float) -> tuple[Action, ...]:
    oldest = now - state.bounds.wait_s
    late = [request for request in _waiting(state) if request.since <= oldest]
    return _turn_out(state, Why.WAITED, _AFTER_WAIT_S, late) + _dispatch(state)


def _waiting(state: State) -> list[_Request]:
    return [request for queue in state.turns.values() for request in queue]


def _turn_out(
    state: State, why: Why, retry_after_s: int, waiting: list[_Request]
) -> tuple[Action, ...]:
    """Refuse requests that wait."""
    for request in waiting:
        del state.requests[request.id]
        _leave_queue(state, request)
    return tuple(Refuse(request.id, why, retry_after_s) for request in waiting)


def _dispatch(state: State) -> tuple[Action, ...]:
    """Start what fits, tenants in turn. One that was overtaken too often holds the others back."""
    actions: list[Action] = []
    while (started := _one_turn(state)) is not None:
        actions.append(started)
    return tuple(actions)


def _one_turn(state: State) -> Start | None:
    """The first tenant in turn order whose head fits gets a slot and goes to the back."""
    skipped: list[_Request] = []
    for tenant, queue in state.turns.items():
        head = queue[0]
        replica = _roomiest(state, head.slots)
        if replica is None:
            if head.overtaken >= state.bounds.overtakes:
                return None
            skipped.append(head)
            continue
        for passed in skipped:
            passed.overtaken += 1
        queue.popleft()
        state.waiting -= 1
        if queue:
            state.turns.move_to_end(tenant)
        else:
            del state.turns[tenant]
        return _start(state, head, replica)
    return None


def _start(state: State, request: _Request, replica: str) -> Start:
    state.replicas[replica].used += request.slots
    request.replica = replica
    return Start(request.id, replica)


def _roomiest(state: State, slots: int) -> str | None:
    """The replica with the most free slots, if it has `slots`."""
    best, most = None, slots - 1
    for name, replica in state.replicas.items():
        free = replica.slots - replica.used
        if replica.up and free > most:
            best, most = name, free
    return best

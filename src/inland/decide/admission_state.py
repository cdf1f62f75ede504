"""One deployment's admission as it stands: its replicas, its requests, what they are charged.

`decide/admission.py` changes it, event by event.
"""

import math
from dataclasses import dataclass, field

import msgspec

from inland.decide.admission_events import Bounds, Done, Progress, Terms
from inland.decide.pools import Pools
from inland.decide.routing import Load, seen_slowness
from inland.decide.turns import Account, Turns, Waiting

#: The longest that anybody is told to wait before asking again, in seconds.
_LONGEST_S = 600
#: The part of the pace that is taken to be there for what is not reserved, if all were reserved.
_LEAST_REST = 0.1
#: What an answer is taken to be long before one has ended, in tokens (too little rather than too
#: much: what comes is charged as it comes); how fast the mean moves; how far ahead of its engine a
#: request is charged that is longer than it was taken to be.
_FIRST_GUESS, _MEAN_PART, _AHEAD = 16.0, 0.125, 32.0


class Replica(Load, gc=False):
    """`others`: slots used of the `common` ones; `told`: how many control says those are. `under`:
    requests at work there by adapter, those that run beside anything left out."""

    others: int = 0
    common: int = 0
    told: int | None = None
    under: dict[str, int] = msgspec.field(default_factory=dict)

    def takes(self, adapter: str | None) -> bool:
        """Whether all that runs there runs beside it: an engine works on one adapter at a time."""
        under = self.under
        return adapter is None or not under or (len(under) == 1 and adapter in under)

    def begin(self, adapter: str | None) -> None:
        """One more under it."""
        if adapter is not None:
            self.under[adapter] = self.under.get(adapter, 0) + 1

    def end(self, adapter: str | None) -> None:
        """One less."""
        if adapter is not None:
            self.under[adapter] -= 1
            if not self.under[adapter]:
                del self.under[adapter]


@dataclass(slots=True)
class State:
    """One deployment's queues and slots. `waiting`: requests; `mean`: tokens of an answer."""

    bounds: Bounds = field(default_factory=Bounds)
    requests: dict[int, Waiting] = field(default_factory=dict)
    replicas: dict[str, Replica] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    waiting: int = 0
    given_up: bool = False
    terms: Terms = field(default_factory=Terms)
    pools: Pools = field(default_factory=lambda: Pools(1))
    promised: list[Account] = field(default_factory=list)
    mean: float = 0.0
    since: list[tuple[float, int]] = field(default_factory=list)


def was_read(state: State, request: Waiting) -> None:
    if not request.read and request.replica is not None:
        request.read = True
        state.replicas[request.replica].unread_tokens -= request.prompt


def expected(state: State, account: Account, request: Waiting) -> float:
    """What it will cost, in completion tokens."""
    mean = account.mean or state.mean or _FIRST_GUESS
    answer = min(float(request.most), mean * request.slots)
    return answer + request.prompt * state.pools.prompt_charge


def progress(state: State, event: Progress, now: float) -> None:
    """Its first token came, or it is longer than was charged."""
    request = state.requests.get(event.request)
    if request is None or request.replica is None:
        return
    request.seen = event.completion
    if not request.read:
        replica = state.replicas[request.replica]
        replica.slowness = seen_slowness(replica, request.expects_s, now - request.began)
    was_read(state, request)
    if event.completion > request.completion:
        more = event.completion + _AHEAD - request.completion
        request.completion += more
        state.turns.charge(state.turns.accounts[request.tenant], request, more)


def settle(state: State, account: Account, request: Waiting, event: Done) -> None:
    """It cost what its engine counted, not what was expected."""
    completion = request.seen if event.completion is None else event.completion
    prompt = request.prompt if event.prompt is None else event.prompt
    actual = completion + prompt * state.pools.prompt_charge
    state.turns.charge(account, request, actual - request.charged)
    if event.completion is not None:
        each = completion / request.slots
        account.mean += (each - account.mean) * (_MEAN_PART if account.mean else 1.0)
        state.mean += (each - state.mean) * (_MEAN_PART if state.mean else 1.0)


def expected_wait_s(state: State, account: Account) -> float | None:
    """Seconds until all that `account` has waiting began, by the measured pace; None without one.

    Its part of the pace is what is reserved to it, and by weight of what is reserved to nobody,
    beside those of its class and above that wait as well.
    """
    pools, turns = state.pools, state.turns
    if pools.tokens_per_s is None or not account.backlog:
        return None if pools.tokens_per_s is None else 0.0
    common = sum(one.common for one in state.replicas.values() if one.is_open)
    pace = pools.tokens_per_s * max(1, common) / pools.common
    rest = max(pace - turns.reserved, pace * _LEAST_REST)
    own = account.weight * account.part
    beside = sum(turns.weights[: account.tier + 1]) - (own if account.queue else 0.0)
    return account.backlog / (account.rate * account.part + rest * own / (own + max(0.0, beside)))


def retry_after_s(state: State, account: Account, backlog: float, default_s: int) -> int:
    """When there will be room again: after one request's turn, or after `backlog` tokens."""
    waiting_s = expected_wait_s(state, account)
    if waiting_s is None or not account.backlog:
        return default_s
    part = backlog / account.backlog if backlog else 1 / len(account.queue)
    return whole_s(waiting_s * part)


def whole_s(seconds: float) -> int:
    return max(1, min(_LONGEST_S, math.ceil(seconds)))

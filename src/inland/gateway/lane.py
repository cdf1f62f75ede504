"""One deployment's way in: admission decides who runs next, the lane carries it out.

Of an engine of ours it also knows the slots that are this gateway's, and gives each request one.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

from inland.decide.admission import step
from inland.decide.admission_events import (
    Action,
    Arrive,
    Bounds,
    Done,
    Down,
    Event,
    GivenUp,
    Progress,
    Refuse,
    Return,
    Start,
    Terms,
    Tick,
    Up,
    Why,
)
from inland.decide.admission_state import State
from inland.decide.slots import Grant, Share, Slots, let_go, resize, slots_of, take
from inland.domain.capacity import Profile
from inland.domain.contracts import Contract
from inland.domain.limits import Limits
from inland.domain.plant import Deployment, EngineKind, Replica, ReplicaState, Residue
from inland.gateway.errors import Refused, invalid, queue_full, too_late, unavailable
from inland.gateway.metrics import Timings
from inland.gateway.prefix import prefix_of
from inland.ports.clock import Clock
from inland.ports.engine import Counts, Task

_log = logging.getLogger("inland.gateway")


class Waiter(Protocol):
    """A request as its lane sees it."""

    number: int

    @property
    def tenant(self) -> str: ...

    @property
    def slots(self) -> int: ...

    @property
    def prompt_estimate(self) -> int:
        """Tokens of its prompt, guessed from its length."""
        ...

    @property
    def most_tokens(self) -> int:
        """The most it may be answered."""
        ...

    def prefix(self) -> int:
        """Equal for prompts that begin alike; 0 where that is not known."""
        ...

    def start(self, replica: Replica) -> None:
        """Its turn has come, on `replica`."""
        ...

    def turned_away(self, refused: Refused) -> None:
        """It will not be served."""
        ...

    def fail(self) -> None:
        """Something of ours broke: its caller is told, and it lets go of everything."""
        ...


class Lane:
    """Queue and replicas of one deployment, and our `share` of its slots.

    `fresh`: in this process there was no lane before that may have left work in its engines.
    """

    def __init__(
        self, limits: Limits, clock: Clock, share: Share, timings: Timings, *, fresh: bool = False
    ) -> None:
        self.timings = timings
        self._limits = limits
        self._clock = clock
        self._share = share
        self._quiet = fresh and share.first
        self._slots: dict[str, Slots] = {}
        self._state = State(
            Bounds(limits.queue, limits.queue_total, limits.queue_s, limits.overtakes)
        )
        self._terms = Terms()
        self._requests: dict[int, Waiter] = {}
        self._replicas: dict[str, Replica] = {}
        self._resting: dict[str, float] = {}
        self.slots = 1

    def apply(
        self,
        deployment: Deployment,
        replicas: list[Replica],
        contracts: Sequence[Contract] = (),
        profile: Profile | None = None,
    ) -> None:
        """Take over what a snapshot says: the replicas, what was sold of them and measured."""
        terms = Terms(tuple(contracts), profile)
        if terms != self._terms:
            self._terms = terms
            self._step(terms)
        self._apply_slots(deployment, replicas)
        ready = {r.id: r for r in replicas if r.state is ReplicaState.READY}
        for gone in self._replicas.keys() - ready.keys():
            self._step(Down(gone))
        self._replicas = ready
        for name in ready:
            if name not in self._resting:
                self._step(Up(name, self.slots))
        if _is_hopeless(deployment, replicas):
            self._step(GivenUp())

    def _apply_slots(self, deployment: Deployment, replicas: list[Replica]) -> None:
        """Slots are ours alone, or, where there are fewer than gateways, nobody's: then the engine
        chooses among all, and no prompt is ever reused."""
        ours = deployment.engine is EngineKind.LLAMA_CPP
        ids = self._share.ids(deployment.slots) if ours else ()
        self.slots = len(ids) or max(1, deployment.slots // self._share.gateways)
        names = {replica.id for replica in replicas} if ids else set()
        for gone in self._slots.keys() - names:
            del self._slots[gone]
            self._quiet = False
        for name in names:
            if name in self._slots:
                resize(self._slots[name], ids, quiet=self._quiet)
            else:
                self._slots[name] = slots_of(ids, quiet=self._quiet)

    def seat(self, request: Waiter, replica: Replica, task: Task) -> Grant | None:
        """The slot of `replica` that a request works in, None where the engine may choose."""
        slots = self._slots.get(replica.id)
        if slots is None:
            return None
        now = self._clock.monotonic()
        asked = prefix_of(task)
        grant = take(slots, request.number, request.tenant, request.slots, asked, now)
        assert grant is not None, "admission starts no more than there are slots for"
        return grant

    def left(self, request: Waiter, replica: Replica, residue: Residue) -> None:
        """The engine is done with a request, whether it had a seat or not."""
        slots = self._slots.get(replica.id)
        if slots is not None:
            let_go(slots, request.number, residue, self._clock.monotonic())

    def close(self) -> None:
        """The deployment is gone; so are its replicas."""
        for name in self._replicas:
            self._step(Down(name))
        self._replicas = {}

    def arrive(self, request: Waiter) -> None:
        self._requests[request.number] = request
        prefix = request.prefix() if self._state.waiting else 0  # who starts at once has no rival
        self._step(
            Arrive(
                request.number,
                request.tenant,
                request.slots,
                request.prompt_estimate,
                request.most_tokens,
                prefix,
            )
        )

    def progress(self, request: Waiter, completion: int) -> None:
        """It has been answered `completion` tokens so far."""
        self._step(Progress(request.number, completion))

    def done(self, request: Waiter, counts: Counts | None = None) -> None:
        """It holds no slot and no place in the queue any more; `counts`: what it cost, if known."""
        if self._requests.pop(request.number, None) is None:
            return
        if counts is None:
            self._step(Done(request.number))
        else:
            read = counts.prompt - counts.cached
            self._step(Done(request.number, read, counts.completion))

    def returned(self, request: Waiter, replica: Replica) -> None:
        """`replica` did not serve it: it waits again, and the replica rests a moment."""
        self.suspect(replica)
        self._step(Return(request.number))

    def suspect(self, replica: Replica) -> None:
        """It failed a request: it gets no new one for a moment."""
        self._resting[replica.id] = self._clock.monotonic() + self._limits.rest_ms / 1000
        self._step(Down(replica.id))

    def tick(self) -> None:
        """Time passed."""
        now = self._clock.monotonic()
        for name in [name for name, until in self._resting.items() if until <= now]:
            del self._resting[name]
            if name in self._replicas:
                self._step(Up(name, self.slots))
        self._step(Tick())

    @property
    def waiting(self) -> int:
        return self._state.waiting

    @property
    def running(self) -> int:
        return len(self._state.requests) - self._state.waiting

    def _step(self, event: Event) -> None:
        self._state, actions = step(self._state, event, self._clock.monotonic())
        for action in actions:
            self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        request = self._requests.get(action.request)
        if request is None:  # an earlier action's doing
            return
        if isinstance(action, Start):
            self._start(request, action.replica)
        else:
            del self._requests[action.request]
            request.turned_away(_refused(action, self.slots))

    def _start(self, request: Waiter, replica: str) -> None:
        try:
            request.start(self._replicas[replica])
        except Exception:  # noqa: BLE001 - its fault must not take the turn of those behind it
            _log.exception("a request could not be started")
            request.fail()


def _is_hopeless(deployment: Deployment, replicas: list[Replica]) -> bool:
    """Whether no replica will come: all have failed, or none is wanted."""
    staying = [one for one in replicas if one.state is not ReplicaState.DRAINING]
    if not staying:
        return deployment.replicas == 0
    return all(one.state is ReplicaState.FAILED for one in staying)


def _refused(refuse: Refuse, slots: int) -> Refused:
    match refuse.why:
        case Why.FULL:
            return queue_full(refuse.retry_after_s)
        case Why.LATE:
            return too_late(refuse.retry_after_s)
        case Why.WAITED:
            text = "No replica of this model had room in time."
            return unavailable("queue_wait", text, refuse.retry_after_s)
        case Why.GIVEN_UP:
            text = "No replica of this model works; its operator has to start one."
            return unavailable("model_failed", text, refuse.retry_after_s)
        case Why.TOO_LARGE:
            return invalid("n", f"`n` is at most {slots} for this model.")

"""One deployment's way in: admission decides who runs next, the lane carries it out."""

import logging
from typing import Protocol

from inland.decide.admission import (
    Action,
    Arrive,
    Bounds,
    Done,
    Down,
    Event,
    GivenUp,
    Refuse,
    Return,
    Start,
    State,
    Tick,
    Up,
    Why,
    step,
)
from inland.domain.limits import Limits
from inland.domain.plant import Deployment, Replica, ReplicaState
from inland.gateway.errors import Refused, invalid, queue_full, unavailable
from inland.gateway.metrics import Timings
from inland.ports.clock import Clock

_log = logging.getLogger("inland.gateway")


class Waiter(Protocol):
    """A request as its lane sees it."""

    number: int

    @property
    def tenant(self) -> str: ...

    @property
    def slots(self) -> int: ...

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
    """Queue and replicas of one deployment, whose slots `gateways` gateways share."""

    def __init__(self, limits: Limits, clock: Clock, gateways: int, timings: Timings) -> None:
        self.timings = timings
        self._limits = limits
        self._clock = clock
        self._gateways = gateways
        self._state = State(
            Bounds(limits.queue, limits.queue_total, limits.queue_s, limits.overtakes)
        )
        self._requests: dict[int, Waiter] = {}
        self._replicas: dict[str, Replica] = {}
        self._resting: dict[str, float] = {}
        self.slots = 1

    def apply(self, deployment: Deployment, replicas: list[Replica]) -> None:
        """Take over what a snapshot says about the replicas."""
        self.slots = max(1, deployment.slots // self._gateways)
        ready = {r.id: r for r in replicas if r.state is ReplicaState.READY}
        for gone in self._replicas.keys() - ready.keys():
            self._step(Down(gone))
        self._replicas = ready
        for name in ready:
            if name not in self._resting:
                self._step(Up(name, self.slots))
        if replicas and all(r.state is ReplicaState.FAILED for r in replicas):
            self._step(GivenUp())

    def close(self) -> None:
        """The deployment is gone; so are its replicas."""
        for name in self._replicas:
            self._step(Down(name))
        self._replicas = {}

    def arrive(self, request: Waiter) -> None:
        self._requests[request.number] = request
        self._step(Arrive(request.number, request.tenant, request.slots))

    def done(self, request: Waiter) -> None:
        """It holds no slot and no place in the queue any more."""
        if self._requests.pop(request.number, None) is not None:
            self._step(Done(request.number))

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


def _refused(refuse: Refuse, slots: int) -> Refused:
    match refuse.why:
        case Why.FULL:
            return queue_full(refuse.retry_after_s)
        case Why.WAITED:
            text = "No replica of this model had room in time."
            return unavailable("queue_wait", text, refuse.retry_after_s)
        case Why.GIVEN_UP:
            text = "Every replica of this model has failed; its operator has to start it again."
            return unavailable("model_failed", text, refuse.retry_after_s)
        case Why.TOO_LARGE:
            return invalid("n", f"`n` is at most {slots} for this model.")

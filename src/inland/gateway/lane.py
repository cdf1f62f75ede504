"""One deployment's way in: admission decides who runs next, the lane carries it out.

Of an engine of ours it also knows the slots that are this gateway's, and gives each request one.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from inland.decide.admission import step
from inland.decide.admission_events import (
    Arrive,
    Bounds,
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
from inland.decide.admission_log import first_line, line
from inland.decide.admission_state import State
from inland.decide.shares import Holding
from inland.decide.slots import Grant, Share, Slots, let_go, resize, slots_of, take
from inland.domain.capacity import Profile
from inland.domain.contracts import Contract
from inland.domain.limits import Limits
from inland.domain.plant import Deployment, EngineKind, Replica, ReplicaState, Residue
from inland.domain.shares import Demand, Portion
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
    def account(self) -> str:
        """Who takes its turn: its tenant, or that tenant's batches."""
        ...

    @property
    def owner(self) -> str:
        """Whose a prompt is that may be reused for it: its tenant's, under its adapter."""
        ...

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

    @property
    def adapter(self) -> str | None:
        """What it is asked under, "" the base; None where it is at work beside anything."""
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
    `record`: takes each event as a line, to be replayed.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        share: Share,
        timings: Timings,
        *,
        fresh: bool = False,
        record: Callable[[bytes], None] | None = None,
    ) -> None:
        self.timings = timings
        self._limits = limits
        self._clock = clock
        self._share = share
        self._quiet = fresh and share.first and share.gateways == 1
        self._slots: dict[str, Slots] = {}
        self._holding = Holding() if share.gateways > 1 else None
        self._portion = Portion()
        self._told: Demand | None = None
        self._changed = True
        bounds = Bounds(limits.queue, limits.queue_total, limits.queue_s, limits.overtakes)
        self._state = State(bounds)
        self._record = record
        if record is not None:
            record(first_line(bounds))
        self._terms = Terms()
        self._requests: dict[int, Waiter] = {}
        self._replicas: dict[str, Replica] = {}
        self._resting: dict[str, float] = {}
        self.slots = self._whole = 1

    def apply(
        self,
        deployment: Deployment,
        replicas: list[Replica],
        contracts: Sequence[Contract] = (),
        profile: Profile | None = None,
    ) -> None:
        """Take over what a snapshot says: the replicas, what was sold of them and measured."""
        self._whole = deployment.slots
        ready = {r.id: r for r in replicas if r.state is ReplicaState.READY}
        for gone in self._replicas.keys() - ready.keys():  # first: what follows starts requests
            self._step(Down(gone))
        self._replicas = ready
        terms = Terms(tuple(contracts), profile, self._whole)
        if terms != self._terms:
            self._terms = terms
            self._step(terms)
        self._apply_slots(deployment, replicas)
        for name in ready:
            if name not in self._resting:
                self._step(self._up(name))
        if _is_hopeless(deployment, replicas):
            self._step(GivenUp())

    def _apply_slots(self, deployment: Deployment, replicas: list[Replica]) -> None:
        """Slots are ours alone: all of them, or, of several gateways, those that control deals."""
        others = self._share.gateways - 1
        self.slots = max(1, deployment.slots - 2 * others)
        ours = deployment.engine is EngineKind.LLAMA_CPP
        names = {replica.id for replica in replicas} if ours else set()
        ids = range(deployment.slots) if self._holding is None else self._holding.ids
        for gone in self._slots.keys() - names:
            del self._slots[gone]
            self._quiet = False
        for name in names:
            if name in self._slots:
                resize(self._slots[name], ids, quiet=self._quiet)
            else:
                self._slots[name] = slots_of(ids, quiet=self._quiet)
        self._changed = True

    # -- as one of several gateways

    def take(self, portion: Portion, heard: int) -> None:
        """Take over a portion that control made when it had heard message `heard`."""
        if self._holding is None:
            return
        before, self._portion = self._portion, portion
        self._holding.take(portion, heard, self._busy())
        self._resize()
        if portion.parts != before.parts:
            self._step(Parts(portion.parts))
        for name in self._replicas.keys() - self._resting.keys():
            self._step(self._up(name))
        self._told, self._changed = None, True  # that it was heard is told, whatever else is

    def demand(self, number: int) -> Demand | None:
        """What there is to do, for message `number`; None where that was told already."""
        if self._holding is None or not self._changed:
            return None
        self._changed = False
        before = self._holding.ids
        held = self._holding.say(number, self._busy())
        if self._holding.ids != before:
            self._resize()
        tenants = {
            one.tenant: (sum(w.slots for w in one.queue.values()), one.running, int(one.total))
            for one in self._state.turns.accounts.values()
            if one.queue or one.running
        }
        demand = Demand(held, tenants)
        if demand == self._told:
            return None
        self._told = demand
        return demand

    def begin_anew(self) -> None:
        """Control is told all again."""
        self._told, self._changed = None, True
        if self._holding is not None:
            self._holding.begin_anew()

    def _busy(self) -> set[int]:
        """Slots that a replica works in."""
        return {
            slot.id
            for slots in self._slots.values()
            for slot in slots.slots.values()
            if slot.request is not None
        }

    def _resize(self) -> None:
        assert self._holding is not None
        for slots in self._slots.values():
            resize(slots, self._holding.ids)

    def _up(self, name: str) -> Up:
        """A replica works, with the slots that are ours."""
        if self._holding is None:
            return Up(name, self._whole)
        count = len(self._holding.ids)
        return Up(name, count, min(count, self._portion.common))

    def seat(self, request: Waiter, replica: Replica, task: Task) -> Grant | None:
        """The slot of `replica` that a request works in, None where the engine may choose."""
        slots = self._slots.get(replica.id)
        if slots is None:
            return None
        now = self._clock.monotonic()
        asked = prefix_of(task)
        grant = take(slots, request.number, request.owner, request.slots, asked, now)
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
                request.account,
                request.slots,
                request.prompt_estimate,
                request.most_tokens,
                prefix,
                request.adapter,
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
                self._step(self._up(name))
        self._step(Tick())

    @property
    def waiting(self) -> int:
        return self._state.waiting

    @property
    def running(self) -> int:
        return len(self._state.requests) - self._state.waiting

    def _step(self, event: Event) -> None:
        self._changed = True
        now = self._clock.monotonic()
        self._state, actions = step(self._state, event, now)
        if self._record is not None:
            self._record(line(now, event, actions))
        for action in actions:
            request = self._requests.get(action.request)
            if request is None:  # an earlier action's doing
                continue
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

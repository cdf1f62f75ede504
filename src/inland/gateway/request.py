"""The life of one request, from the queue to its record and the end of its answer."""

import logging
from collections.abc import Sequence
from enum import Enum, auto
from hashlib import sha256

from msgspec.structs import replace

from inland.decide.turns import batches_of
from inland.domain.errors import Damaged
from inland.domain.plant import EngineKind, Replica
from inland.gateway.budgets import FREE, Free
from inland.gateway.counts import Ceiling
from inland.gateway.delivery import Delivery, StreamDelivery, WholeDelivery
from inland.gateway.dialect.asked import Said
from inland.gateway.dispatch import hindrance, target
from inland.gateway.errors import (
    Refused,
    engine_failed,
    timed_out,
)
from inland.gateway.exchange import Answering
from inland.gateway.failures import failure
from inland.gateway.lane import Lane
from inland.gateway.order import Order
from inland.gateway.pace import Pace
from inland.gateway.prefix import beginning_of
from inland.gateway.record import ESTIMATED, Facts, Template
from inland.gateway.refusals import LEFT, folded, left
from inland.gateway.rulings import Ruling
from inland.gateway.shared import Shared
from inland.gateway.sieve import Sieve
from inland.ledger.frames import FrameKind
from inland.ledger.records import BILLED, COMPLETE, FAILED, HUNG_UP
from inland.ports.engine import (
    Call,
    Counts,
    Embedding,
    End,
    Ending,
    Engine,
    Piece,
    Target,
    Work,
)

_log = logging.getLogger("inland.gateway")
#: What a token of a prompt is taken to be long, until its engine has counted it.
BYTES_PER_TOKEN = 4
#: Pieces between two times that the lane is told how many tokens there are; it is at the first.
TELL_PIECES = 32


class Phase(Enum):
    """Where a request is in its life."""

    __hash__ = object.__hash__  # an enum's own is Python, and runs several times a request
    WAITING = auto()
    RUNNING = auto()
    MOVING = auto()  # the engine was told to stop, for it is done elsewhere
    ENDING = auto()  # the engine was told to stop; its last counts are awaited
    RECORDING = auto()
    OVER = auto()


_AT_AN_ENGINE = frozenset({Phase.RUNNING, Phase.MOVING, Phase.ENDING})


class Request:
    """One request. It is its exchange's owner, its lane's waiter and its engine call's sink."""

    __slots__ = (
        "_active",
        "_call",
        "_ceiling",
        "_commitments",
        "_counts",
        "_delivery",
        "_entry",
        "_exchange",
        "_facts",
        "_hold",
        "_judges",
        "_lane",
        "_opened",
        "_pace",
        "_route",
        "_shared",
        "_size",
        "_template",
        "_thrown_away",
        "_tries",
        "_untold",
        "_watch",
        "_work",
        "account",
        "denied",
        "most_tokens",
        "number",
        "phase",
        "prompt_estimate",
        "replica",
        "ruling",
        "slots",
        "tenant",
    )

    def __init__(
        self,
        shared: Shared,
        exchange: Answering,
        lane: Lane,
        ruling: Ruling,
        order: Order,
        number: int,
        active: "set[Request]",
    ) -> None:
        assert ruling.record_keys is not None
        self._shared, self._exchange, self._lane = shared, exchange, lane
        self._work, self._route, self._pace = order.work, order.route, Pace(order.arrived)
        self._active = active
        self.ruling = ruling
        self.tenant = ruling.tenant.id
        self.account = batches_of(self.tenant) if ruling.key.batch else self.tenant
        self.number = number
        self.denied: Refused | None = None  # set when a new snapshot says so
        self.phase = Phase.WAITING
        self.replica: Replica | None = None
        now_us, received = shared.clock.unix_us(), order.received
        record_id = shared.new_id(now_us)
        self._commitments = ruling.record_keys.commitments(record_id)
        self._facts = Facts(record_id, now_us, self._commitments.input(received))
        self._size = size = len(received)
        self._watch, self._judges = order.watch, order.judges
        watch = order.watch
        if watch is not None:
            self._facts.guard = watch.found()
        self._ceiling = self._most(order.work)
        self.slots, self.most_tokens = order.work.n, self._ceiling.most
        self.prompt_estimate = size // BYTES_PER_TOKEN
        said = Said(record_id, now_us // 1_000_000, ruling.name)
        delivery = StreamDelivery if order.work.stream else WholeDelivery
        self._delivery: Delivery = delivery(order.asked, said, self._ceiling.choices, exchange)
        self._hold: Free = FREE
        if ruling.budgets:
            self._hold = shared.budgets.hold(ruling, now_us)
        self._call: Call | None = None
        self._template: Template | None = None
        self._counts = _NOTHING
        self._entry = ""
        self._opened = False
        self._tries = self._thrown_away = self._untold = 0

    def _most(self, work: Work) -> Ceiling:
        grown = 0 if self._watch is None else self._watch.grown_bytes
        return Ceiling(work, self.ruling.deployment, self._size + grown)

    def begin(self) -> None:
        """Into the queue."""
        self._shared.bodies.add(self.tenant, self._size)
        self._active.add(self)
        self._exchange.own(self)
        self._hold.begin(self, self._lane, self._ceiling)

    # -- as its lane sees it

    @property
    def owner(self) -> str:
        return self.ruling.owner

    @property
    def adapter(self) -> str | None:
        ours = self.ruling.deployment.engine is EngineKind.LLAMA_CPP
        if not ours or isinstance(self._work.task, Embedding):
            return None  # vLLM makes one batch of several adapters; vectors are made beside texts
        return "" if self.ruling.serving is None else self.ruling.serving.adapter

    def prefix(self) -> int:
        return beginning_of(self._work.task)

    def start(self, replica: Replica) -> None:
        """Its turn on `replica`: begin, unless what held at its arrival holds no longer."""
        shared, ruling, work = self._shared, self.ruling, self._work
        refused = self.denied or hindrance(shared, ruling, replica)
        if refused is not None:
            self.turned_away(refused)
            return
        self._lane.timings.queue_wait.observe(shared.clock.monotonic() - self._pace.arrived)
        self._template = ruling.template(replica, self._route, stream=work.stream)
        self.phase = Phase.RUNNING
        self.replica = replica
        if work.stream and not self._opened:
            self._open(self._template)
        kind, found = ruling.deployment.engine, target(shared, ruling, replica)
        if kind is EngineKind.LLAMA_CPP and not isinstance(work.task, Embedding):
            found = self._seated(found, replica)  # texts to embed are read beside the slots
        self._call = self._called(shared.engines[kind], found)
        if self._pace.stalls.is_now:
            self._call.pause()

    def _called(self, engine: Engine, found: Target) -> Call:
        """The engine's call, classifiers between it and this where there are any."""
        if self._judges is None or self._watch is None:
            return engine.call(found, self._work, self)
        sieve = Sieve(self, self._work.choices, self._judges(), self._watch.judged)
        return sieve.begin(engine.call(found, self._work, sieve))

    def _seated(self, found: Target, replica: Replica) -> Target:
        """With the slot that it works in."""
        seat = self._lane.seat(self, replica, self._work.task)
        if seat is None:
            return found
        self._ceiling.reuse = seat.reuse
        return replace(found, slot=seat.slot, reuse=seat.reuse)

    def _open(self, template: Template) -> None:
        self._opened = True
        opening = template.opening(self._facts, self._shared.salt().hex())
        self._shared.journal.append(FrameKind.OPENING, opening, self._opening_is_durable)

    def turned_away(self, refused: Refused) -> None:
        """It will not be served."""
        self._lane.done(self)
        self._give_up(refused, _NOTHING)

    def fail(self) -> None:
        """Something of ours broke."""
        self._exchange.fail()

    # -- as its engine call sees it

    def pieces(self, pieces: Sequence[Piece]) -> None:
        """Text from the engine: relayed, or kept for a whole answer."""
        if self.phase is not Phase.RUNNING or not pieces:
            return
        is_last, now = pieces[-1].finish is not None, self._shared.clock.monotonic()
        self._pace.took(len(pieces), self._lane, now, is_last=is_last)
        try:
            self._ceiling.take(pieces)
        except Damaged as lie:
            self.stop(self._distrust(lie))
            return
        self._untold -= len(pieces)
        if self._untold < 0 and not is_last:  # its end, which follows, tells all
            self._untold = TELL_PIECES
            self._lane.progress(self, self._ceiling.made)
        if self._watch is not None:
            pieces = self._watch.take(pieces)
            if self._watch.is_cut:
                self.cut(pieces)
                return
        more = self._delivery.take(pieces)
        if self._call is not None and (self._pace.stalls.is_now or not more):
            self._call.pause()  # once more: the first time there may have been no connection

    def cut(self, last: Sequence[Piece]) -> None:
        """A guard ended the answer before these were the last of it: it is whole as it stands."""
        self._delivery.take(last)
        self._facts.outcome = COMPLETE
        self._cancel()

    def _opening_is_durable(self) -> None:
        going_on = self.phase in {Phase.WAITING, Phase.RUNNING, Phase.MOVING}
        still_to_come = self._facts.outcome == COMPLETE
        if isinstance(self._delivery, StreamDelivery) and (going_on or still_to_come):
            self._delivery.opening_is_durable()
        if going_on:
            self._pace.first_leaves(self._shared.clock.monotonic())
        if self.phase is Phase.RUNNING and self._call is not None and not self._pace.stalls.is_now:
            self._call.resume()

    def ended(self, end: End) -> None:
        """The engine is done with it. What it claims is believed as far as it can be true."""
        assert self.replica is not None
        self._lane.left(self, self.replica, end.residue)
        if not self.is_running():
            return
        try:
            counts = self._ceiling.believed(end.counts)
        except Damaged as lie:
            self._lane.done(self)
            self._lied(lie)
        else:
            self._ended(end, counts)

    def _lied(self, lie: Damaged) -> None:
        if self.phase is not Phase.ENDING or self._facts.outcome == COMPLETE:
            self._give_up(self._distrust(lie), _NOTHING)
        else:  # whoever asked knows already that there is no answer
            self._ends(FAILED, 502)
            self._record(_NOTHING)

    def _ended(self, end: End, counts: Counts) -> None:
        if self.phase is Phase.ENDING:
            self._lane.done(self, counts if counts.prompt else None)  # none: it stopped in that
            self._record(counts)
        elif end.how is Ending.COMPLETE and self._delivery.close():
            self._lane.done(self, counts)
            self._facts.outcome = COMPLETE
            self._record(counts)
        elif self._is_lost(end) and self._may_move(end):
            self._move(counts)
        else:
            self._lane.done(self, counts)
            self._give_up(failure(end), counts)

    def _distrust(self, lie: Damaged) -> Refused:
        """What the caller is told of an engine that cannot be believed; its replica rests."""
        assert self.replica is not None
        name = self.ruling.deployment.name
        _log.warning("an engine is not believed", extra={"model": name, "why": lie.why})
        self._shared.metrics.engine_faults.add((name,))
        self._lane.suspect(self.replica)
        return engine_failed(f"The engine cannot be believed: {lie.why}; nothing is billed.")

    def _is_lost(self, end: End) -> bool:
        """Whether its replica, not the request, is why there is no answer."""
        return end.how is Ending.GONE or self.phase is Phase.MOVING

    def _may_move(self, end: End) -> bool:
        """A caller who was sent nothing need not hear of it; each engine tried counts."""
        self._tries += end.connected
        return not self._delivery.has_begun() and self._tries < self._shared.limits.attempts

    def _move(self, counts: Counts) -> None:
        """Back into the queue, as if nothing had been made of it: that is thrown away, unbilled."""
        assert self.replica is not None
        self._thrown_away += counts.completion
        self._start_over()
        self._ceiling = self._most(self._work)
        self._pace.ttft_us, self._call, self._untold = None, None, 0
        self.phase = Phase.WAITING
        self._lane.returned(self, self.replica)

    # -- as its caller's connection sees it

    def hung_up(self) -> None:
        """The caller is gone: stop the engine's work, and record what it came to."""
        if not self._facts.outcome:
            self._ends(HUNG_UP, LEFT)
        if self.is_running():
            self._cancel()
        elif self.phase is Phase.WAITING:
            self._lane.done(self)
            if self._opened:
                self._record(_NOTHING)
            else:
                waited_s = self._shared.clock.monotonic() - self._pace.arrived
                self._shared.refusals.add(left(self.ruling, self._route, waited_s))
                self._over(HUNG_UP, LEFT)

    def broke(self) -> None:
        """We failed, not the caller: as a hang-up, but not billed."""
        if not self._facts.outcome:
            self._ends(FAILED, 500)
        self.hung_up()

    def pause(self) -> None:
        self._pace.stalls.begin(self._shared.clock.monotonic())
        if self._call is not None:
            self._call.pause()

    def resume(self) -> None:
        self._pace.stalls.end(self._shared.clock.monotonic())
        if self._call is not None:
            self._call.resume()

    # -- from outside

    def stop(self, refused: Refused) -> None:
        """End it now, whether it waits or runs; what is already being recorded is left alone."""
        if self.phase is Phase.WAITING:
            self.turned_away(refused)
        elif self.phase in {Phase.RUNNING, Phase.MOVING}:
            self._ends(FAILED, refused.status)
            self._delivery.fail(refused)
            self._cancel()

    def leave(self, refused: Refused) -> None:
        """Its replica is taken away: it is done elsewhere, or ends where its caller had some."""
        if self.phase is not Phase.RUNNING:
            return
        if self._delivery.has_begun():
            self.stop(refused)
            return
        self._start_over()
        self._cancel(Phase.MOVING)

    def _start_over(self) -> None:
        self._delivery.start_over()
        if self._watch is not None:
            self._watch.start_over()

    def is_late(self, now: float) -> bool:
        """Whether it had all the time there is."""
        return now - self._pace.arrived > self._shared.limits.answer_s

    def time_out(self) -> None:
        """It had all the time there is."""
        self.stop(timed_out(self._shared.limits.answer_s))

    def is_running(self) -> bool:
        """Whether an engine works on it."""
        return self.phase in _AT_AN_ENGINE

    def _cancel(self, then: Phase = Phase.ENDING) -> None:
        before, self.phase = self.phase, then
        if before is not Phase.RUNNING:
            return  # it was told so already
        if self._call is not None:
            self._call.cancel()
        else:  # the engine's client failed before there was a call
            self.ended(End(Ending.STOPPED))

    # -- its end

    def _ends(self, outcome: str, status: int) -> None:
        self._facts.outcome, self._facts.status = outcome, status

    def _give_up(self, refused: Refused, counts: Counts) -> None:
        """Tell the caller; on the books as failed if anything was begun, else as a refusal."""
        self._ends(FAILED, refused.status)
        self._delivery.fail(refused)
        if self._opened or self._pace.ttft_us is not None:
            self._record(counts)
        else:
            self._shared.refusals.add(folded(self.ruling, refused, self._route))
            self._over("refused", refused.status)

    def _record(self, counts: Counts) -> None:
        """Append what it came to; what follows, follows when that is durable."""
        assert self._template is not None
        self.phase = Phase.RECORDING
        self._counts = counts = self._with_prompt(counts)
        self._settle_facts(counts)
        self._hold.record(self._facts)
        data = self._template.fill(self._facts)
        self._entry = sha256(data).hexdigest()  # `canonical.entry`, as it is told
        self._shared.journal.append(FrameKind.RECORD, data, self._durable)

    def _with_prompt(self, counts: Counts) -> Counts:
        """An engine that counts at its end, and was stopped before, has read the prompt too."""
        if counts.exact or counts.prompt or self._pace.ttft_us is None:
            return counts
        return replace(counts, prompt=self.prompt_estimate)

    def _settle_facts(self, counts: Counts) -> None:
        facts, now = self._facts, self._shared.clock.monotonic()
        complete = facts.outcome == COMPLETE
        done = counts.completion
        if not complete:
            done = self._ceiling.delivered(self._delivery.delivered_tokens())
        facts.salt = self._shared.salt().hex()
        facts.billed = facts.outcome in BILLED
        for choice, text in enumerate(self._delivery.texts(complete=complete)):
            facts.output.append(self._commitments.output(choice, text))
        facts.prompt_tokens = counts.prompt
        facts.completion_tokens = done
        facts.cached_tokens = counts.cached
        # made and had by nobody: after a hang-up, and by engines that were lost
        facts.wasted_tokens_estimated = self._thrown_away + max(0, counts.completion - done)
        if not counts.exact:
            facts.counted = ESTIMATED
        if self._watch is not None:
            facts.guard = self._watch.found()
        facts.ttft_us, facts.duration_us = self._pace.ttft_us, self._pace.since_us(now)
        facts.stalled_us = int(self._pace.stalls.total_s(now) * 1e6)

    def _durable(self) -> None:
        """It is on the books: now the answer may end."""
        facts, tokens = self._facts, self._lane.timings.tokens
        if complete := facts.outcome == COMPLETE:
            self._delivery.finish(self._counts, self._entry)
        tokens.prompt_tokens += facts.prompt_tokens
        tokens.cached_tokens += facts.cached_tokens
        tokens.completion_tokens += facts.completion_tokens
        tokens.wasted_tokens_estimated += facts.wasted_tokens_estimated
        self._over(facts.outcome, 200 if complete else 0)

    def _over(self, outcome: str, status: int) -> None:
        self.phase = Phase.OVER
        self._hold.settle(None)
        self._active.discard(self)
        self._shared.bodies.add(self.tenant, -self._size)
        self._call = None  # nothing is left that holds on to one another
        serving = self.ruling.serving
        if serving is not None and outcome in {COMPLETE, FAILED}:
            self._shared.metrics.release_answers.add((serving.release, outcome))
            if self._pace.ttft_us is not None:
                ttft = self._shared.metrics.release_ttft.series((serving.release,))
                ttft.observe(self._pace.ttft_us / 1e6)
        labels = (self._route, self.ruling.deployment.name, outcome, str(status))
        self._shared.metrics.requests.add(labels)
        self._lane.timings.duration.observe(self._shared.clock.monotonic() - self._pace.arrived)


_NOTHING = Counts()

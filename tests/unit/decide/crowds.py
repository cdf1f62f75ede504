"""Several gateways in simulated time, one engine, a control that deals out its slots; delays."""

import random
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import combinations, count

from inland.decide.admission import step
from inland.decide.admission_events import Arrive, Done, Event, Parts, Start, Terms, Up
from inland.decide.admission_state import State
from inland.decide.pools import PROMPT_CHARGE
from inland.decide.shares import Holding, Shares
from inland.domain.capacity import Profile, StepModel
from inland.domain.contracts import Tier
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind
from inland.domain.shares import Demand, Portion
from inland.domain.snapshot import Snapshot
from tests.unit.decide.crowd import (
    ANSWER,
    FOREVER,
    LARGEST,
    PROMPT,
    TOKEN_S,
    Job,
    Sender,
    contract,
)

#: How often a gateway tells its demand, how long a message takes at most, how long a death is
#: unknown, in seconds.
POLL_S, DELAY_S, DEATH_S = 0.025, 0.02, 0.05
#: How soon a slot that is free anywhere is used by whoever waits anywhere: when a holder that needs
#: it no more was told and has said so, and its next one was told; and that three times in a row,
#: for its next one may need it no more by then.
REACT_S = DEATH_S + 3 * (2 * POLL_S + 4 * DELAY_S)
GATEWAYS = 4


@dataclass
class Gateway:
    """One gateway: its admission, the slots that are its own, and what it last told control."""

    name: str
    delay_s: float
    state: State = field(default_factory=lambda: State(FOREVER))
    portion: Portion = field(default_factory=Portion)
    holding: Holding = field(default_factory=Holding)
    said: int = 0
    busy: dict[int, int] = field(default_factory=dict)
    seen: int = 0
    polls: bool = False
    alive: bool = True

    def demand(self) -> Demand:
        accounts = self.state.turns.accounts.values()
        tenants = {
            one.tenant: (len(one.queue), one.running, int(one.total))
            for one in accounts
            if one.queue or one.running
        }
        self.said += 1
        return Demand(self.holding.say(self.said, self.busy), tenants)


@dataclass
class Crowds:
    """`senders` before `GATEWAYS` gateways; each of their connections is at one of them. The one
    that `dies` does so at that time, and its connections go on at the others."""

    seed: int
    slots: int
    senders: list[Sender]
    skew: dict[str, list[float]]
    dies: tuple[int, float] | None = None
    now: float = 0.0
    jobs: dict[int, Job] = field(default_factory=dict)
    at_gateway: dict[int, tuple[int, int]] = field(default_factory=dict)
    engine: dict[int, int] = field(default_factory=dict)
    waiting_from: float | None = None
    has_heard: dict[int, int] = field(default_factory=dict)
    free_from: dict[int, float] = field(default_factory=dict)
    longest_idle_s: float = 0.0
    longest_wait_s: float = 0.0
    longest_reserved_wait_s: float = 0.0
    worst: float = 0.0
    portions: int = 0
    _pairs: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.numbers = count(1)
        self.free_from = dict.fromkeys(range(self.slots), 0.0)
        self.events: list[tuple[float, int, str, object]] = []
        contracts = {one.contract.id: one.contract for one in self.senders}
        place = Place("here", "DE", "DE")
        deployment = Deployment("d", EngineKind.LLAMA_CPP, "m", place, self.slots)
        profile = even_pace(self.slots)
        self.shares = Shares()
        made = Snapshot(1, "f", "", "", {}, {}, {}, {"d": deployment}, {})
        self.shares.plan(replace(made, contracts=contracts, profiles={"d": profile}))
        self.shares.lived(())
        delays = [self.random.uniform(0.001, DELAY_S) for _ in range(GATEWAYS)]
        self.gateways = [Gateway(f"g{n}", delay_s) for n, delay_s in enumerate(delays)]
        for index, gateway in enumerate(self.gateways):
            self.feed(index, Terms(tuple(contracts.values()), profile, self.slots))
            self.feed(index, Up("r", 0, 0))
            self.changed(gateway, index)

    def at(self, when: float, what: str, data: object) -> None:
        heappush(self.events, (when, next(self.numbers), what, data))

    def run(self, seconds: float) -> None:
        """Let them send for so long."""
        for index, sender in enumerate(self.senders):
            for _ in range(sender.ahead or 1):
                home = self.random.choices(range(GATEWAYS), self.skew[sender.name])[0]
                start = sender.awake[0] + 0.3 + self.random.random() / 2
                self.at(start, "send", (index, home))
        if self.dies is not None:
            self.at(self.dies[1], "die", self.dies[0])
        self.at(2.0, "look", None)
        while self.events and self.events[0][0] <= seconds:
            self.now, _, what, data = heappop(self.events)
            getattr(self, what)(data)
            self.conserves_work()

    # -- gateways

    def feed(self, index: int, event: Event) -> None:
        gateway = self.gateways[index]
        gateway.state, actions = step(gateway.state, event, self.now)
        for action in actions:
            assert isinstance(action, Start), "nobody is refused here"
            self.start(index, gateway, action.request)

    def start(self, index: int, gateway: Gateway, number: int) -> None:
        slot = next(one for one in gateway.holding.ids if one not in gateway.busy)
        assert slot not in self.engine, "two gateways use one slot"
        self.engine[slot] = gateway.busy[slot] = number
        self.at_gateway[number] = (index, slot)
        job, request = self.jobs[number], gateway.state.requests[number]
        job.began, job.reserved = self.now, request.reserved
        job.until = self.now + job.cost * TOKEN_S
        self.at(job.until, "end", number)
        wait_s = self.now - job.came
        self.longest_wait_s = max(self.longest_wait_s, wait_s)
        if job.sender.reserves:
            self.longest_reserved_wait_s = max(self.longest_reserved_wait_s, wait_s)

    def send(self, data: tuple[int, int]) -> None:
        index, home = data
        sender, draw = self.senders[index], self.random
        if self.now > sender.awake[1]:
            return
        while not self.gateways[home].alive:
            home = draw.randrange(GATEWAYS)
        job = Job(sender, draw.randint(1, PROMPT), draw.randint(1, ANSWER), self.now)
        number = next(self.numbers)
        self.jobs[number] = job
        if sender.ahead is None:
            rate = sender.contract.tokens_per_second
            pause_s = job.cost / rate if sender.reserves else sender.every_s
            where = draw.choices(range(GATEWAYS), self.skew[sender.name])[0]
            self.at(self.now + pause_s * (1 + draw.random()), "send", (index, where))
        estimate = max(1, int(job.prompt * draw.uniform(0.5, 2)))
        self.feed(home, Arrive(number, sender.name, 1, estimate, ANSWER))
        self.changed(self.gateways[home], home)

    def end(self, number: int) -> None:
        if number not in self.at_gateway:
            return  # its gateway died
        job = self.jobs.pop(number)
        index, slot = self.at_gateway.pop(number)
        gateway = self.gateways[index]
        del self.engine[slot], gateway.busy[slot]
        self.free_from[slot] = self.now
        if not job.reserved:
            job.sender.done += job.cost
        self.feed(index, Done(number, job.prompt, job.completion))
        self.changed(gateway, index)
        if job.sender.ahead is not None:
            self.send((self.senders.index(job.sender), index))

    def die(self, index: int) -> None:
        gateway = self.gateways[index]
        gateway.alive = False
        self._pairs.clear()
        for slot in gateway.busy:
            del self.engine[slot]
            self.free_from[slot] = self.now
        for number in list(gateway.state.requests):
            self.at_gateway.pop(number, None)
            sender = self.jobs.pop(number).sender
            if sender.ahead is not None:
                self.at(self.now + 0.01, "send", (self.senders.index(sender), index))
        self.at(self.now + DEATH_S, "ended", gateway)

    # -- messages

    def changed(self, gateway: Gateway, index: int) -> None:
        if not gateway.polls:
            gateway.polls = True
            self.at(self.now + POLL_S, "poll", index)

    def poll(self, index: int) -> None:
        gateway = self.gateways[index]
        gateway.polls = False
        if gateway.alive:
            demand = gateway.demand()
            said = (index, gateway.said, gateway.seen, demand)
            self.at(self.now + gateway.delay_s, "heard", said)

    def heard(self, said: tuple[int, int, int, Demand]) -> None:
        index, number, seen, demand = said
        if self.gateways[index].alive:
            self.has_heard[index] = number
            self.shares.wants(f"g{index}", index, seen, {"d": demand})
            self.deal()

    def ended(self, gateway: Gateway) -> None:
        self.shares.ended(gateway.name)
        self.deal()

    def deal(self) -> None:
        for name, (number, pools) in self.shares.portions(self.now).items():
            index = int(name[1:])
            delay_s = self.gateways[index].delay_s
            self.at(self.now + delay_s, "told", (index, number, self.has_heard[index], pools["d"]))

    def told(self, data: tuple[int, int, int, Portion]) -> None:
        index, number, heard, portion = data
        gateway = self.gateways[index]
        if not gateway.alive:
            return
        self.portions += 1
        before = gateway.portion
        gateway.portion, gateway.seen = portion, number
        gateway.holding.take(portion, heard, gateway.busy)
        if portion.parts != before.parts:
            self.feed(index, Parts(portion.parts))
        count = len(gateway.holding.ids)
        self.feed(index, Up("r", count, min(count, portion.common)))
        self.changed(gateway, index)

    # -- laws

    def reserved_wait_s(self) -> float:
        """What a request within its contract may wait: for slots, and for messages."""
        reserving = sum(one.reserves for one in self.senders)
        return (2 + (reserving + 2) / self.slots) * LARGEST * TOKEN_S + REACT_S

    def conserves_work(self) -> None:
        """No slot idles while anything waits at any gateway, but for as long as messages take."""
        if not any(one.state.waiting for one in self.gateways if one.alive):
            self.waiting_from = None
            return
        if self.waiting_from is None:
            self.waiting_from = self.now
        if len(self.engine) < self.slots:
            free_from = min(self.free_from[one] for one in self.free_from.keys() - self.engine)
            idle_s = self.now - max(free_from, self.waiting_from)
            self.longest_idle_s = max(self.longest_idle_s, idle_s)

    def look(self, _: object) -> None:
        """The service bound between each two floods, over all gateways together."""
        sums = {one.name: one.done for one in self.senders}
        for number in self.engine.values():
            job = self.jobs[number]
            if not job.reserved:
                part = (self.now - job.began) / (job.until - job.began)
                sums[job.sender.name] += job.cost * part
        floods = [one for one in self.senders if one.ahead is not None]
        for one, other in combinations(floods, 2):
            if one.tier == other.tier:
                self.compare(one, other, sums)
        self.at(self.now + 0.5, "look", None)

    def compare(self, one: Sender, other: Sender, sums: dict[str, float]) -> None:
        apart = sums[one.name] / one.weight - sums[other.name] / other.weight
        pair = (one.name, other.name)
        low, high = self._pairs.get(pair, (apart, apart))
        low, high = min(low, apart), max(high, apart)
        self._pairs[pair] = (low, high)
        bound = 2 * (self.slots + 1) * LARGEST / min(one.weight, other.weight)
        self.worst = max(self.worst, (high - low) / bound)


def even_pace(slots: int) -> Profile:
    """An engine whose steps take `TOKEN_S` whatever runs, and that charges prompts like a crowd."""
    model = StepModel(TOKEN_S, 0.0, 0.0, PROMPT_CHARGE * TOKEN_S / slots, 0.0)
    return Profile("d", 0, "", (), model, slots, 0.0, 1.0)


def crowds(seed: int) -> Crowds:
    """Floods at one gateway and at many, tenants within their contracts, maybe a death."""
    draw = random.Random(seed)
    slots = draw.choice([4, 8, 16])
    senders, skew = [], {}
    tier = draw.choice(list(Tier))
    for number in range(draw.randint(1, 3)):
        held = contract(f"flood{number}", weight=draw.randint(1, 3), tier=tier)
        senders.append(Sender(held.tenant, held, ahead=2 * slots + draw.randint(0, slots)))
    for number in range(draw.randint(0, 2)):
        rate = int(slots / TOKEN_S * draw.uniform(0.05, 0.3))
        held = contract(f"bought{number}", rate, tier=draw.choice(list(Tier)))
        senders.append(Sender(held.tenant, held, reserves=True))
    for one in senders:
        skew[one.name] = draw.choice(
            [[1.0, 0, 0, 0], [0.0, 1, 0, 0], [1.0, 1, 1, 1], [0.0, 0, 1, 3], [5.0, 2, 1, 0.5]]
        )
    dies = (draw.randrange(GATEWAYS), draw.uniform(3, 6)) if draw.random() < 0.5 else None
    return Crowds(seed, slots, senders, skew, dies)

"""Tenants at random in simulated time, before one admission or several; and the laws they watch."""

import itertools
import random
from dataclasses import dataclass, field
from heapq import heappop, heappush

from inland.decide.admission import has_room, step
from inland.decide.admission_events import (
    Action,
    Arrive,
    Bounds,
    Done,
    Event,
    Progress,
    Start,
    Terms,
    Up,
)
from inland.decide.admission_state import State
from inland.decide.pools import PROMPT_CHARGE
from inland.decide.turns import CLASS_OF, TURNS
from inland.domain.contracts import Contract, Tier

#: Seconds that one token of one sequence takes, whatever runs beside it.
TOKEN_S = 0.01
#: The longest prompt and answer, in tokens; so a request costs at most `LARGEST`.
PROMPT, ANSWER = 200, 100
LARGEST = PROMPT * PROMPT_CHARGE + ANSWER
#: How often the laws are looked at, in seconds.
LOOK_S = 1.0
FOREVER = Bounds(waiting_per_tenant=1 << 20, waiting_total=1 << 20, wait_s=1e9)


@dataclass
class Sender:
    """A tenant. `ahead`: requests it always has under way, as a flood does; None: it sends one each
    `every_s`, but at random moments, and sleeps between `awake`. `reserves`: it stays within its
    contract. `adapter`: what it asks under, which runs beside no other; None: beside anything."""

    name: str
    contract: Contract
    ahead: int | None = None
    every_s: float = 1.0
    awake: tuple[float, float] = (0.0, float("inf"))
    reserves: bool = False
    adapter: str | None = None
    done: float = 0.0
    offered: float = 0.0
    waits_since: float | None = None

    @property
    def weight(self) -> float:
        return float(self.contract.weight)

    @property
    def tier(self) -> int:
        return CLASS_OF[self.contract.tier]


@dataclass
class Job:
    """A request as its engine has it."""

    sender: Sender
    prompt: int
    completion: int
    came: float
    began: float = 0.0
    until: float = 0.0
    reserved: bool = False

    @property
    def cost(self) -> float:
        return self.prompt * PROMPT_CHARGE + self.completion


def contract(name: str, rate: int = 0, weight: int = 1, tier: Tier = Tier.STANDARD) -> Contract:
    return Contract(f"c-{name}", name, "d", rate, weight=weight, tier=tier)


@dataclass
class Crowd:
    """One admission with `slots` slots, and `senders` before it."""

    seed: int
    slots: int
    senders: list[Sender]
    now: float = 0.0
    state: State = field(default_factory=lambda: State(FOREVER))
    jobs: dict[int, Job] = field(default_factory=dict)
    longest_wait_s: float = 0.0
    longest_reserved_wait_s: float = 0.0
    worst: float = 0.0
    _events: list[tuple[float, int, str, int]] = field(default_factory=list)
    _pairs: dict[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.count = itertools.count(1)
        self.by_name = {one.name: one for one in self.senders}
        self.feed(Terms(tuple(one.contract for one in self.senders)))
        self.feed(Up("r", self.slots))

    def at(self, when: float, what: str, number: int = 0) -> None:
        heappush(self._events, (when, next(self.count), what, number))

    def run(self, seconds: float) -> None:
        """Let them send for so long."""
        for index, sender in enumerate(self.senders):
            start = sender.awake[0] + self.random.random()
            for _ in range(sender.ahead or 1):
                self.at(start, "send", index)
        self.at(LOOK_S, "look")
        while self._events and self._events[0][0] <= seconds:
            self.now, _, what, number = heappop(self._events)
            if what == "send":
                self.send(number)
            elif what == "end":
                self.end(number)
            else:
                self.look()
                self.at(self.now + LOOK_S, "look")

    def feed(self, event: Event) -> None:
        self.state, actions = step(self.state, event, self.now)
        self.carry_out(actions)
        self.conserves_work()

    def carry_out(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            assert isinstance(action, Start), "nobody is refused here"
            job = self.jobs[action.request]
            request = self.state.requests[action.request]
            job.began, job.reserved = self.now, request.reserved
            job.until = self.now + job.cost * TOKEN_S
            self.at(job.until, "end", action.request)
            wait_s = self.now - job.came
            self.longest_wait_s = max(self.longest_wait_s, wait_s)
            if job.sender.reserves:
                self.longest_reserved_wait_s = max(self.longest_reserved_wait_s, wait_s)
            if not self.state.turns.accounts[job.sender.name].queue:
                job.sender.waits_since = None

    def send(self, index: int) -> None:
        sender, draw = self.senders[index], self.random
        if self.now > sender.awake[1]:
            return
        job = Job(sender, draw.randint(1, PROMPT), draw.randint(1, ANSWER), self.now)
        number = next(self.count)
        self.jobs[number] = job
        sender.offered += job.cost
        if sender.ahead is None:
            rate = sender.contract.tokens_per_second
            pause_s = job.cost / rate if sender.reserves else sender.every_s
            self.at(self.now + pause_s * (1 + draw.random()), "send", index)
        estimate = max(1, int(job.prompt * draw.uniform(0.5, 2)))
        self.feed(Arrive(number, sender.name, 1, estimate, ANSWER, adapter=sender.adapter))
        if sender.waits_since is None and self.state.turns.accounts[sender.name].queue:
            sender.waits_since = self.now

    def end(self, number: int) -> None:
        job = self.jobs.pop(number)
        if not job.reserved:
            job.sender.done += job.cost
        self.feed(Done(number, job.prompt, job.completion))
        if job.sender.ahead is not None:
            self.send(self.senders.index(job.sender))

    # -- laws

    def conserves_work(self) -> None:
        """No slot idles while anything waits that may run beside what runs, unless somebody was
        overtaken as often as may be."""
        if not (self.state.waiting and has_room(self.state)):
            return
        replica = self.state.replicas["r"]
        assert len(replica.under) <= 1, "two adapters are at work at once"
        waiting = [one for one in self.state.requests.values() if one.replica is None]
        if any(one.overtaken >= FOREVER.overtakes for one in waiting):
            return
        assert not any(replica.takes(one.adapter) for one in waiting), "a slot idles"

    @property
    def bound(self) -> float:
        """How far two tenants that wait may be apart, at a weight of 1."""
        adapters = len({one.adapter for one in self.senders})
        return 2 * (self.slots + 1 + (FOREVER.overtakes if adapters > 1 else 0)) * LARGEST

    def served(self) -> dict[str, float]:
        """Tokens beyond reservations that each tenant was served until now, what runs included."""
        sums = {one.name: one.done for one in self.senders}
        for number, request in self.state.requests.items():
            job = self.jobs[number]
            if request.replica is not None and not job.reserved:
                part = (self.now - job.began) / (job.until - job.began)
                sums[job.sender.name] += job.cost * part
        return sums

    def look(self) -> None:
        """The service bound between each two that wait without a break; nobody waits for ever."""
        served = self.served()
        for number, job in list(self.jobs.items()):
            request = self.state.requests[number]
            if request.replica is not None and self.random.random() < 0.5:
                part = (self.now - job.began) / (job.until - job.began)
                self.feed(Progress(number, int(part * job.completion)))
        for one, other in itertools.combinations(self.senders, 2):
            if one.tier == other.tier:
                self.compare(one, other, served)

    def compare(self, one: Sender, other: Sender, served: dict[str, float]) -> None:
        pair = (one.name, other.name)
        if one.waits_since is None or other.waits_since is None:
            self._pairs.pop(pair, None)
            return
        since = max(one.waits_since, other.waits_since)
        apart = served[one.name] / one.weight - served[other.name] / other.weight
        before = self._pairs.get(pair)
        low, high = before[1:] if before is not None and before[0] == since else (apart, apart)
        low, high = min(low, apart), max(high, apart)
        self._pairs[pair] = (since, low, high)
        bound = self.bound / min(one.weight, other.weight)
        self.worst = max(self.worst, (high - low) / bound)
        assert high - low <= bound, f"{pair}: {high - low} apart, at most {bound}"


def crowd(seed: int) -> Crowd:
    """Floods, passers-by and tenants within their contracts, drawn from `seed`."""
    draw = random.Random(seed)
    slots = draw.choice([1, 2, 4, 8])
    senders = []
    for number in range(draw.randint(1, 3)):
        tier = draw.choice(list(Tier))
        held = contract(f"flood{number}", weight=draw.randint(1, 4), tier=tier)
        senders.append(Sender(held.tenant, held, ahead=slots + draw.randint(1, 12)))
    for number in range(draw.randint(0, 2)):
        held = contract(f"passer{number}", weight=draw.randint(1, 4))
        start = draw.uniform(0, 20)
        awake = (start, start + draw.uniform(1, 20))
        senders.append(Sender(held.tenant, held, every_s=draw.uniform(0.05, 3), awake=awake))
    capacity = slots / TOKEN_S
    for number in range(draw.randint(0, 2)):
        rate = int(capacity * draw.uniform(0.05, 0.4))
        held = contract(f"bought{number}", rate, tier=draw.choice(list(Tier)))
        senders.append(Sender(held.tenant, held, reserves=True))
    return Crowd(seed, slots, senders)


def under_adapters(seed: int) -> Crowd:
    """Tenants that flood and pass by, each under one of a few adapters."""
    draw = random.Random(seed)
    slots, named = draw.choice([1, 2, 4, 8]), ["", *"abc"[: draw.randint(1, 3)]]
    senders = []
    for number in range(draw.randint(2, 6)):
        held = contract(f"flood{number}", weight=draw.randint(1, 4))
        ahead = draw.randint(1, slots + 12)
        senders.append(Sender(held.tenant, held, ahead=ahead, adapter=draw.choice(named)))
    for number in range(draw.randint(0, 3)):
        held, every_s = contract(f"passer{number}"), draw.uniform(0.05, 3)
        senders.append(Sender(held.tenant, held, every_s=every_s, adapter=draw.choice(named)))
    return Crowd(seed, slots, senders)


def reserved_wait_s(crowd_: Crowd) -> float:
    """What a request within its contract may wait: for the slots, and for others that reserve."""
    reserving = sum(one.reserves for one in crowd_.senders)
    return (2 + (reserving + 2) / crowd_.slots) * LARGEST * TOKEN_S


def any_wait_s(crowd_: Crowd) -> float:
    """What anybody's oldest request may wait: all classes above have `TURNS` turns for each one."""
    return (TURNS + 1) * len(crowd_.senders) * crowd_.bound * TOKEN_S

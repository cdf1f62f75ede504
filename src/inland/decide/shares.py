"""Who of several gateways has which slots of an engine, and what part of each tenant's due. Pure.

Control's: gateways tell it what they have to do, it answers with portions. What tenants are due is
reckoned over all gateways together, so that more of them, or more connections, buy nothing.
"""

# Every slot belongs to one gateway at a time: what lies in it is reused on that ground. So it
# changes hands in two steps: its holder is told to keep fewer, and only when it has said that it
# holds the slot no more is the slot given to another. Messages cross: both sides number theirs and
# repeat the other's last number. Control does not take a slot for let go of by whoever has not yet
# heard of being given it; a gateway does not take one that it was offered before control heard that
# it let go. A gateway whose process ended holds nothing. A control that starts knows of no holders:
# it gives nothing out before every gateway that lived before it has spoken or has ended.

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from typing import NamedTuple

from inland.decide.pools import divide
from inland.decide.turns import CLASS_OF, usual_class
from inland.domain.contracts import Contract
from inland.domain.shares import Demand, Portion
from inland.domain.snapshot import Snapshot

#: Parts are told in steps of this size, and nobody has less: so that they change rarely.
PART_STEP = 1 / 16
#: Over how many seconds what does not divide evenly is evened out.
EVEN_S = 5.0


class Due(NamedTuple):
    """A tenant's class and weight."""

    tier: int
    weight: float
    rate: float


@dataclass(slots=True)
class _Pool:
    """One deployment's slots: who `holders` are, what gateways want, and what they were told."""

    slots: int = 0
    common: int = 0
    promises: bool = False
    slots_per_rate: float = 0.0
    due: dict[str, Due] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    demands: dict[str, Demand] = field(default_factory=dict)
    told: dict[str, Portion] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)  # slots whose holders are to be told of them
    given: dict[int, int] = field(default_factory=dict)  # by slot: in which message they were
    credit: dict[str, float] = field(default_factory=dict)
    evened: float = 0.0
    changed: bool = True


class Shares:
    """`before`: gateways that may hold slots and have not spoken yet, by process id; None until it
    is known which there are."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._gateways: dict[str, int] = {}  # each life, and the number of its last message
        self._pids: dict[str, int] = {}
        self.before: set[int] | None = None

    # -- what happens

    def plan(self, snapshot: Snapshot) -> None:
        """The deployments, contracts and profiles in force."""
        for gone in self._pools.keys() - snapshot.deployments.keys():
            del self._pools[gone]
        for name, deployment in snapshot.deployments.items():
            contracts = [one for one in snapshot.contracts.values() if one.deployment == name]
            pool = self._pools.setdefault(name, _Pool())
            pools = divide(contracts, snapshot.profiles.get(name), deployment.slots)
            pool.slots, pool.common, pool.promises = (
                deployment.slots,
                pools.common,
                bool(pools.needs),
            )
            pace = pools.tokens_per_s
            pool.slots_per_rate = pools.common / pace if pace else 0.0
            pool.due = {one.tenant: _due(one) for one in contracts}
            pool.changed = True

    def lived(self, pids: Iterable[int]) -> None:
        """The gateways that live now, by process id: asked until slots may be given out."""
        alive = set(pids)
        spoken = set(self._pids.values())
        self.before = (alive if self.before is None else self.before & alive) - spoken

    def is_settled(self) -> bool:
        """Whether all have spoken that may hold anything."""
        return self.before is not None and not self.before

    def wants(self, gateway: str, pid: int, seen: int, demands: Mapping[str, Demand]) -> None:
        """A gateway has this to do, and has taken over message number `seen`."""
        self._gateways.setdefault(gateway, 0)
        self._pids[gateway] = pid
        if self.before:
            self.before.discard(pid)
        for name, demand in demands.items():
            pool = self._pools.get(name)
            if pool is not None:
                pool.demands[gateway], pool.changed = demand, True
                for slot in demand.held:
                    pool.holders.setdefault(slot, gateway)
                _let_go(pool, gateway, set(demand.held), seen)

    def again(self, gateway: str) -> None:
        """It has a new connection: both count their messages anew, and it is told all."""
        self._gateways[gateway] = 0
        for pool in self._pools.values():
            pool.demands.pop(gateway, None)
            pool.told.pop(gateway, None)
            for slot, who in pool.holders.items():
                if who == gateway:
                    pool.given[slot] = 0
            pool.changed = True

    def ended(self, gateway: str) -> None:
        """Its process is no more."""
        self._gateways.pop(gateway, None)
        self._pids.pop(gateway, None)
        for pool in self._pools.values():
            for kept in (pool.demands, pool.told, pool.credit):
                kept.pop(gateway, None)
            _let_go(pool, gateway, set(), None)
            pool.changed = True

    # -- what follows

    def portions(self, now: float) -> dict[str, tuple[int, dict[str, Portion]]]:
        """What gateways are to be told that they have not been: a number each, and portions."""
        told: dict[str, dict[str, Portion]] = {}
        if not self.is_settled():
            return {}
        for name, pool in self._pools.items():
            if not pool.changed:
                continue
            pool.changed = False
            pool.new.clear()
            for gateway, portion in _deal(pool, now).items():
                new = pool.new.intersection(portion.ids)
                if new or pool.told.get(gateway) != portion:
                    pool.told[gateway] = portion
                    pool.given.update(dict.fromkeys(new, self._gateways[gateway] + 1))
                    told.setdefault(gateway, {})[name] = portion
        for gateway in told:
            self._gateways[gateway] += 1
        return {gateway: (self._gateways[gateway], pools) for gateway, pools in told.items()}


def _let_go(pool: _Pool, gateway: str, held: set[int], seen: int | None) -> None:
    """It holds no others. `seen`: the last message that it had heard; None: it is no more."""
    mine = [slot for slot, who in pool.holders.items() if who == gateway and slot not in held]
    for slot in mine:
        if seen is None or seen >= pool.given.get(slot, 0):
            del pool.holders[slot]
            pool.given.pop(slot, None)


def _due(contract: Contract) -> Due:
    return Due(CLASS_OF[contract.tier], float(contract.weight), float(contract.tokens_per_second))


def _deal(pool: _Pool, now: float) -> dict[str, Portion]:
    """Everybody's portion, free slots given to whom they are due."""
    gateways = sorted(pool.demands)
    if not gateways:
        return {}
    kept = 1 if pool.promises and pool.slots >= 2 * len(gateways) else 0
    total = min(pool.common, pool.slots - kept * len(gateways)) if kept else pool.common
    wanted = _wanted(pool)
    common = _whole(pool, wanted, total, now)
    counts = {one: common[one] + kept for one in gateways}
    spare = pool.slots - sum(counts.values())
    for index in range(max(0, spare)):  # beyond what may run at once; for requests of many slots
        counts[gateways[index % len(gateways)]] += 1
    _give(pool, counts)
    held: dict[str, list[int]] = {one: [] for one in gateways}
    for slot, who in sorted(pool.holders.items()):
        if who in held and slot < pool.slots:
            held[who].append(slot)
    return {
        one: Portion(
            tuple(held[one]), min(counts[one], len(held[one])), common[one], _parts(wanted, one)
        )
        for one in gateways
    }


def _give(pool: _Pool, counts: dict[str, int]) -> None:
    """Slots that nobody holds go to those that have fewer than are due to them."""
    free = [slot for slot in range(pool.slots) if slot not in pool.holders]
    if not free:
        return
    has = dict.fromkeys(counts, 0)
    for who in pool.holders.values():
        if who in has:
            has[who] += 1
    for slot in free:
        neediest = max(counts, key=lambda one: counts[one] - has[one])
        if counts[neediest] <= has[neediest]:
            return
        pool.holders[slot] = neediest
        pool.new.add(slot)
        has[neediest] += 1


def _wanted(pool: _Pool) -> dict[str, dict[str, int]]:
    """By tenant, the slots it could use at each gateway."""
    wanted: dict[str, dict[str, int]] = {}
    for gateway, demand in pool.demands.items():
        for tenant, (waiting, running, _) in demand.tenants.items():
            if waiting + running > 0:
                wanted.setdefault(tenant, {})[gateway] = waiting + running
    return wanted


def _ideal(pool: _Pool, wanted: dict[str, dict[str, int]], total: int) -> dict[str, float]:
    """By gateway, the slots that its tenants are due there, in parts of a slot."""
    ideal = dict.fromkeys(pool.demands, 0.0)
    for tenant, slots in _entitled(pool, wanted, total).items():
        at = wanted[tenant]
        each = slots / sum(at.values())
        for gateway, count in at.items():
            ideal[gateway] += each * count
    return ideal


def _entitled(pool: _Pool, wanted: dict[str, dict[str, int]], total: int) -> dict[str, float]:
    """By tenant: what is reserved to it first, then tier by tier and in these by weight."""
    open_ = {tenant: float(sum(at.values())) for tenant, at in wanted.items()}
    due = {tenant: pool.due.get(tenant, Due(usual_class(tenant), 1.0, 0.0)) for tenant in open_}
    left, entitled = float(total), dict.fromkeys(open_, 0.0)
    for tenant, most in open_.items():
        reserved = min(most, left, due[tenant].rate * pool.slots_per_rate)
        entitled[tenant], left = reserved, left - reserved
    for tier in sorted({one.tier for one in due.values()}):
        mine = [tenant for tenant in open_ if due[tenant].tier == tier]
        left -= _fill(entitled, open_, {one: due[one].weight for one in mine}, left)
    return entitled


def _fill(
    entitled: dict[str, float], most: dict[str, float], weights: dict[str, float], left: float
) -> float:
    """Give `left` by weight, to nobody more than the most it can use; what was given."""
    given, unmet = 0.0, {one for one in weights if entitled[one] < most[one]}
    while unmet and left - given > 1e-9:
        each = (left - given) / sum(weights[one] for one in unmet)
        full = {one for one in unmet if most[one] - entitled[one] <= each * weights[one]}
        for one in full or unmet:
            more = min(each * weights[one], most[one] - entitled[one])
            entitled[one] += more
            given += more
        if not full:
            break
        unmet -= full
    return given


def _whole(
    pool: _Pool, wanted: dict[str, dict[str, int]], total: int, now: float
) -> dict[str, int]:
    """Whole slots: one for each that has anything to do, where there are enough; the rest by what
    is due, evened out in time; what nobody can use, where it is."""
    ideal = _ideal(pool, wanted, total)
    most = dict.fromkeys(ideal, 0)
    for at in wanted.values():
        for gateway, count in at.items():
            most[gateway] += count
    busy = [one for one in ideal if most[one]]
    counts = dict.fromkeys(ideal, 0)
    if len(busy) <= total:
        counts.update(dict.fromkeys(busy, 1))
    lack = []
    for one in ideal:
        claim = ideal[one] + pool.credit.get(one, 0.0) if most[one] else 0.0
        before = pool.told[one].common if one in pool.told else 0
        lack.append((counts[one] >= most[one], counts[one] - claim, counts[one] - before, one))
    heapify(lack)
    for _ in range(total - sum(counts.values())):
        _, short, fewer, first = lack[0]
        counts[first] += 1
        heapreplace(lack, (counts[first] >= most[first], short + 1.0, fewer + 1, first))
    _owe(pool, ideal, counts, now, contended=sum(most.values()) > total)
    return counts


def _owe(
    pool: _Pool, ideal: dict[str, float], counts: dict[str, int], now: float, *, contended: bool
) -> None:
    """Keep account of what did not divide evenly."""
    elapsed_s, pool.evened = min(1.0, now - pool.evened), now
    for one, due in ideal.items():
        owed = pool.credit.get(one, 0.0) + (due - counts[one]) * elapsed_s / EVEN_S
        pool.credit[one] = max(-1.0, min(1.0, owed)) if contended and due else 0.0


def _parts(wanted: dict[str, dict[str, int]], gateway: str) -> dict[str, float]:
    """How much of each tenant's demand is at `gateway`, of those that have some elsewhere."""
    parts = {}
    for tenant, at in wanted.items():
        if len(at) > 1 or gateway not in at:
            part = at.get(gateway, 0) / sum(at.values())
            parts[tenant] = max(1, round(part / PART_STEP)) * PART_STEP
    return parts


class Holding:
    """A gateway's end: the slots of one deployment that are its own, `ids`."""

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ()
        self._keep = 0
        self._said: frozenset[int] = frozenset()
        self._left: dict[int, int] = {}  # by slot: the message that said it was let go of

    def take(self, portion: Portion, heard: int, busy: Iterable[int]) -> None:
        """Take over a portion that control made when it had heard message number `heard`.

        Of more slots than it is to keep it goes on using those that have work in them, so that what
        it lets go of is free at once where it can be.
        """
        working = frozenset(busy)
        mine = working.union(self.ids)
        self._keep = portion.keep
        self._choose(
            (slot for slot in portion.ids if slot in mine or self._left.get(slot, 0) <= heard),
            working,
        )

    def say(self, number: int, busy: Iterable[int]) -> tuple[int, ...]:
        """What it holds, as message number `number` says."""
        working = frozenset(busy)
        if not working <= set(self.ids):  # what it was to let go of works; another may be free now
            self._choose(working.union(self.ids), working)
        held = working.union(self.ids)
        for slot in self._said - held:
            self._left[slot] = number
        self._said = held
        return tuple(sorted(held))

    def _choose(self, slots: Iterable[int], working: frozenset[int]) -> None:
        ranked = sorted(slots, key=lambda slot: (slot not in working, slot))
        self.ids = tuple(sorted(ranked[: self._keep]))

    def begin_anew(self) -> None:
        """A new connection: messages are counted from the start."""
        self._said, self._left = frozenset(), {}

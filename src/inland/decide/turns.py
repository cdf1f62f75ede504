"""Whose turn it is on one deployment: tenants' reserved tokens first, the rest by weight. Pure.

A contract's tokens are a bucket, refilled at its rate; a request that begins while tokens are left
in it is charged to it, and of several such tenants the one goes first whose bucket has been waiting
longest to be drawn from. Beyond that each tier serves the tenant with the least counter: tokens
served beyond what is reserved, divided by weight.
"""

# The counter is the virtual token counter of Sheng et al., "Fairness in Serving Large Language
# Models" (OSDI 2024). Who returns from idleness is lifted to the least counter that waits in its
# tier, or, where none does, to that of whoever was served last: idleness saves nothing up.
#
# Bound (their theorem 4.4, with slots for their batch): over any time in which two tenants of one
# tier both wait without a break, what they are served beyond reservations, each by its weight,
# differs by at most 2 U, where U = (slots + 1) * (cost of the largest request) / (smaller weight).
# For when the one was last served before the other its counter was not the larger, and all that can
# be served to it since are its requests in the slots and one more. A request is charged at its
# start what it is expected to cost, and settled on what it did: expectations that are right make
# the difference smaller, and wrong ones no larger than that.
#
# A lower class waits for a higher one in at most `TURNS` turns in a row: so none starves.

from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping
from copy import copy
from heapq import heapify, heappop, heappush, heapreplace
from math import inf

import msgspec

from inland.domain.contracts import MINUTE_S, Contract, Tier

#: Turns that go to higher classes in a row while a lower one waits and could be served.
TURNS = 32
#: Classes, first served first: what is reserved, then the tiers.
RESERVED = 0
#: Tenants' accounts that are kept before those are looked for that nobody would miss.
ACCOUNTS = 1024
CLASS_OF = {Tier.INTERACTIVE: 1, Tier.STANDARD: 2, Tier.BATCH: 3}
#: What stands before a tenant's name where its batches take their turn. No tenant is called so.
_BATCHES = "batch "


def batches_of(tenant: str) -> str:
    """Who takes the turns of a tenant's batches: apart from it, and after everybody else."""
    return f"{_BATCHES}{tenant}"


def usual_class(tenant: str) -> int:
    """Of who has no contract."""
    return CLASS_OF[Tier.BATCH if tenant.startswith(_BATCHES) else Tier.STANDARD]


class Waiting(msgspec.Struct, gc=False):
    """A request. `charged`: tokens it was charged, of them `completion` for its answer, of which
    `seen` have come. `expected`: what it was expected to cost when it began to wait."""

    id: int
    tenant: str
    slots: int
    since: float
    prompt: int
    most: int
    prefix: int
    adapter: str | None = None
    overtaken: int = 0
    replica: str | None = None
    kept: bool = False  # in a slot kept for its tenant
    reserved: bool = False  # charged to the contract
    read: bool = False  # its first token came
    expected: float = 0.0
    charged: float = 0.0
    divisor: float = 0.0  # of its tokens, in its tenant's counter
    completion: float = 0.0
    seen: int = 0
    began: float = 0.0
    expects_s: float = 0.0  # its first token that long after; 0 where there is one replica


class Account(msgspec.Struct, gc=False):
    """One tenant here.

    `served`: its counter. `paid_until`: the reserved tokens that came due until then are used up.
    `need`: slots kept for it, and `kept`: of these in use. `mean`: completion tokens of an answer.
    `part`: how much of its reservation and weight holds at this gateway.
    """

    tenant: str
    queue: OrderedDict[int, Waiting]
    backlog: float = 0.0
    served: float = 0.0
    weight: float = 1.0
    tier: int = 2
    rate: float = 0.0
    depth_s: float = 0.0
    paid_until: float = -inf
    need: int = 0
    kept: int = 0
    running: int = 0
    mean: float = 0.0
    part: float = 1.0
    prefix: int = 0
    total: float = 0.0

    def has_reserved(self, now: float) -> bool:
        """Whether reserved tokens are left."""
        return self.rate > 0.0 and self.paid_until < now

    @property
    def is_held(self) -> bool:
        """Whether it has anything here, or terms of its own."""
        terms = (self.weight, self.tier, self.rate, self.need, self.part)
        usual = (1.0, usual_class(self.tenant), 0.0, 0, 1.0)
        return bool(self.queue or self.running or terms != usual)


class Line:
    """Tenants that wait, least key first, in O(log n). Keys that rise are looked at when they come
    up; ties go to whoever came first."""

    __slots__ = ("_heap", "_keys", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._keys: dict[str, float] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, tenant: str, key: float) -> None:
        """`tenant` waits, with `key`, whatever it had before."""
        before = self._keys.get(tenant, inf)
        self._keys[tenant] = key
        if key < before:
            self._serial += 1
            heappush(self._heap, (key, self._serial, tenant))
            if len(self._heap) > 2 * len(self._keys) + 64:
                self._tidy()

    def move(self, tenant: str, key: float) -> None:
        """Its key changed, if it waits."""
        if tenant in self._keys:
            self.put(tenant, key)

    def drop(self, tenant: str) -> None:
        """It waits no more."""
        self._keys.pop(tenant, None)

    def least(self) -> float | None:
        """The least key; None where nobody waits."""
        return self._heap[0][0] if self._settle() else None

    def walk(self) -> Iterator[tuple[float, str]]:
        """Each that waits, least first; keys may change meanwhile. To be closed when left early."""
        aside = []
        seen = set()
        try:
            while self._settle():
                entry = heappop(self._heap)
                aside.append(entry)
                if entry[2] not in seen:
                    seen.add(entry[2])
                    yield entry[0], entry[2]
        finally:
            for entry in aside:
                heappush(self._heap, entry)

    def _settle(self) -> bool:
        """Bring the top up to date; whether there is one."""
        heap, keys = self._heap, self._keys
        while heap:
            key, serial, tenant = heap[0]
            actual = keys.get(tenant)
            if actual == key:
                return True
            if actual is None or actual < key:  # gone, or put again with less
                heappop(heap)
            else:
                heapreplace(heap, (actual, serial, tenant))
        return False

    def _tidy(self) -> None:
        serials: dict[str, int] = {}
        for _, serial, tenant in self._heap:
            serials[tenant] = min(serial, serials.get(tenant, serial))
        self._heap = [(key, serials[tenant], tenant) for tenant, key in self._keys.items()]
        heapify(self._heap)


class Turns:
    """Every tenant's account, and the lines they wait in."""

    __slots__ = ("_last", "_passed", "_spare", "accounts", "lines", "reserved", "weights")

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.lines = (Line(), Line(), Line(), Line())
        self._last: list[Account | None] = [None] * 4
        self._passed = [0] * 4
        self.weights = [0.0] * 4  # of those that wait, by class
        self.reserved = 0.0  # tokens/s, of all contracts here
        self._spare = ACCOUNTS

    def account(self, tenant: str) -> Account:
        """The tenant's, made where it has none."""
        account = self.accounts.get(tenant)
        if account is None:
            if len(self.accounts) >= self._spare:
                self._forget()
            account = Account(tenant, OrderedDict(), tier=usual_class(tenant))
            self.accounts[tenant] = account
        return account

    def _forget(self) -> None:
        """Whoever would be lifted to the same place if it came anew. Who owes something stays."""
        levels = [self._level(tier) for tier in range(4)]
        self.accounts = {
            one.tenant: one
            for one in self.accounts.values()
            if one.is_held or one.served > levels[one.tier]
        }
        self._spare = max(ACCOUNTS, 2 * len(self.accounts))

    def agree(self, contracts: dict[str, Contract], now: float) -> None:
        """From now on these hold, by tenant. A new one begins with a full bucket."""
        for tenant in contracts:
            self.account(tenant)
        for account in self.accounts.values():
            contract = contracts.get(account.tenant)
            tier, rate, depth_s, weight = usual_class(account.tenant), 0.0, 0.0, 1.0
            if contract is not None:
                tier, weight = CLASS_OF[contract.tier], float(contract.weight)
                if contract.tokens_per_second > 0:
                    rate = float(contract.tokens_per_second)
                    depth_s = MINUTE_S + contract.burst_tokens / rate
            self._change(account, tier, rate, depth_s, weight)
            account.paid_until = max(account.paid_until, now - depth_s)
        self._sum()

    def divide(self, parts: Mapping[str, float]) -> None:
        """From now on tenants have these parts of what they are due; others have all of it."""
        for account in self.accounts.values():
            account.part = 1.0
        for tenant, part in parts.items():
            self.account(tenant).part = part
        self._sum()

    def _sum(self) -> None:
        self.weights, self.reserved = [0.0] * 4, 0.0
        for account in self.accounts.values():
            self.reserved += account.rate * account.part
            if account.queue:
                self.weights[account.tier] += account.weight * account.part

    def _change(
        self, account: Account, tier: int, rate: float, depth_s: float, weight: float
    ) -> None:
        waits = bool(account.queue)
        if waits:
            self.leave(account)
        if account.rate == 0.0:
            account.paid_until = -inf
        if account.tier != tier:  # its counter says nothing beside those of its new tier
            if self._last[account.tier] is account:
                self._last[account.tier] = copy(account)
            account.served = self._level(tier)
        account.tier, account.rate, account.depth_s = tier, rate, depth_s
        account.weight = weight
        if waits:
            self._enter(account)

    def join(self, account: Account, now: float) -> None:
        """It had nothing waiting and now has."""
        self._lift(account, self._level(account.tier), now)
        self._enter(account)

    def _enter(self, account: Account) -> None:
        self.weights[account.tier] += account.weight * account.part
        self.lines[account.tier].put(account.tenant, account.served)
        if account.rate > 0.0:
            self.lines[RESERVED].put(account.tenant, account.paid_until)

    def leave(self, account: Account) -> None:
        """Nothing of it waits any more."""
        self.weights[account.tier] -= account.weight * account.part
        self.lines[account.tier].drop(account.tenant)
        self.lines[RESERVED].drop(account.tenant)
        self._last[account.tier] = account

    def pass_by(self, account: Account, now: float) -> None:
        """It is served without having waited."""
        last = self._last[account.tier]
        if last is not account or account.rate > 0.0:  # else it is where it is
            self._lift(account, 0.0 if last is None else last.served, now)
            self._last[account.tier] = account

    def _level(self, tier: int) -> float:
        """Where who returns begins: the least counter that waits, or that was served last."""
        least = self.lines[tier].least()
        return self._last_served(tier) if least is None else least

    def _last_served(self, tier: int) -> float:
        last = self._last[tier]
        return last.served if last is not None else 0.0

    def _lift(self, account: Account, least: float, now: float) -> None:
        account.served = max(account.served, least)
        if account.rate > 0.0 and account.paid_until < now - account.depth_s:
            account.paid_until = now - account.depth_s  # the bucket is full: what came more is lost

    def charge(self, account: Account, request: Waiting, tokens: float) -> None:
        """It is served `tokens` more, or less where that is below 0: all of a request at the part
        that held at its start. Nothing is given back of what a contract paid that is no more."""
        if not tokens:
            return
        request.charged += tokens
        account.total += tokens
        paid = request.reserved and account.rate > 0.0
        if not request.divisor:
            request.divisor = (account.rate if paid else account.weight) * account.part
        if paid:
            account.paid_until += tokens / request.divisor
            if account.queue:
                self.lines[RESERVED].move(account.tenant, account.paid_until)
        elif tokens > 0.0 or not request.reserved:
            by = account.weight * account.part if request.reserved else request.divisor
            account.served += tokens / by
            if account.queue:
                self.lines[account.tier].move(account.tenant, account.served)

    def in_turn(self, now: float) -> Generator[tuple[int, Account], None, None]:
        """Those that wait, next one first, each with its class. To be closed when left early."""
        overdue = [one for one in (1, 2, 3) if self._passed[one] >= TURNS and self.lines[one]]
        for number in (*overdue, *(one for one in range(4) if one not in overdue)):
            for key, tenant in self.lines[number].walk():
                if number == RESERVED and key >= now:
                    break
                account = self.accounts[tenant]
                if number == RESERVED or not account.has_reserved(now):
                    yield number, account

    def took(self, number: int) -> None:
        """Somebody of class `number` had a turn."""
        self._passed[number] = 0
        for lower in range(number + 1, 4):
            if self.lines[lower]:
                self._passed[lower] += 1

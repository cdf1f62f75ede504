"""Hard budgets at one gateway: a request is let in when the most it may come to is held for it.

What is held is asked of control, over the feed, and a request waits for the answer: milliseconds.
Without control a gateway goes on with what it was allowed, and no further.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from inland.decide.allowances import Purse
from inland.decide.pricing import most_picos, picos, price_at
from inland.domain.allowances import Allowance, Claim
from inland.domain.budgets import TOKENS, Budget
from inland.domain.currencies import picos_of_minor, shown
from inland.domain.pricing import Price, Tokens
from inland.gateway.counts import Ceiling
from inland.gateway.errors import Refused, over_budget, unavailable
from inland.gateway.record import Facts
from inland.gateway.rulings import Ruling
from inland.ports.clock import Clock

#: How long a request waits to hear what control allows, in seconds: longer than control needs to
#: come back, and to hear of every gateway.
WAIT_S = 10.0
_US = 1_000_000
_NOTHING = Tokens(0, 0, 0)


class Waiter(Protocol):
    """A request as its budgets see it."""

    def turned_away(self, refused: Refused) -> None:
        """A budget has no room for it."""
        ...


class Door(Protocol):
    """Where requests go that every budget has room for: their lane."""

    def arrive(self, request: Any, /) -> None: ...


class Pot:
    """One budget's period here: the purse, and who waits for more in it.

    `under_way`: requests that hold some of it, or will, until they are settled.
    """

    __slots__ = (
        "_asked",
        "_removed",
        "budget",
        "ends_unix_s",
        "period_unix_s",
        "purse",
        "under_way",
        "waiting",
    )

    def __init__(self, budget: Budget, unix_s: int) -> None:
        self.budget = budget
        self.period_unix_s = budget.period.began(unix_s)
        self.ends_unix_s = budget.period.ends(unix_s)
        self.purse = Purse()
        self.waiting: dict[Hold, int] = {}
        self.under_way = 0
        self._asked: dict[Hold, None] = {}
        self._removed = False

    def enter(self, hold: "Hold", most: int) -> bool:
        """Whether it is let in at once; otherwise it waits, and is told."""
        if not self.waiting and self._let_in(most):
            return True
        self.waiting[hold] = most
        return False

    def _let_in(self, most: int) -> bool:
        return self._removed or self.purse.reserve(most)

    def settle(self, most: int, came_to: int) -> None:
        self.purse.settle(most, came_to)
        for hold, wanted in list(self.waiting.items()):
            if hold in self.waiting:
                if not self._let_in(wanted):
                    break
                self._go_on(hold)

    def claim(self) -> Claim:
        self._asked = dict.fromkeys(self.waiting)
        return self.purse.claim(self.budget.id, self.period_unix_s, list(self.waiting.values()))

    def take(self, allowance: Allowance, now_unix_s: int) -> None:
        """Let in who fits now; who asked and does not, is refused where control is sure."""
        self.purse.take(allowance)
        asked = self._asked
        if allowance.sure:
            self._asked = {}
        for hold in asked:
            most = self.waiting.get(hold)
            if most is None:
                continue
            if self._let_in(most):
                self._go_on(hold)
            elif allowance.sure:
                del self.waiting[hold]
                hold.refuse(self._over(allowance.used, most, now_unix_s))

    @property
    def unheard(self) -> bool:
        """Whether somebody waits of whom control was not asked yet: if so, then the last."""
        return bool(self.waiting) and next(reversed(self.waiting)) not in self._asked

    def remove(self) -> None:
        """The budget is no more: who waits for it, and who comes to it yet, is let in."""
        self._removed = True
        for hold in list(self.waiting):
            if hold in self.waiting:
                self._go_on(hold)

    def _go_on(self, hold: "Hold") -> None:
        del self.waiting[hold]
        hold.next()

    def _over(self, used: int, most: int, now_unix_s: int) -> Refused:
        budget = self.budget
        amount, limit = f"{budget.limit:,} tokens", budget.limit
        if budget.unit != TOKENS:
            amount = f"{shown(budget.limit, budget.unit)} {budget.unit}"
            limit = picos_of_minor(budget.limit, budget.unit)
        whose = f"tenant {budget.tenant}" if budget.key is None else f"key {budget.key}"
        left_s = max(1, self.ends_unix_s - now_unix_s)
        under_way = used + most <= limit
        return over_budget(
            f"{amount} a {budget.period.value} of {whose}",
            self.ends_unix_s,
            1 if under_way else left_s,
            under_way=under_way,
        )


class Free:
    """Of a request that no budget holds: nothing is held."""

    __slots__ = ()

    def begin(self, waiter: Waiter, door: Door, ceiling: Ceiling) -> None:
        """Let it in, now or later, or turn it away."""
        door.arrive(waiter)

    def record(self, facts: Facts) -> None:
        """It is over, and this goes on the books."""

    def settle(self, tokens: Tokens | None) -> None:
        """It is over, and this is billed. Once; what comes later changes nothing."""


FREE = Free()


class Hold(Free):
    """What one request holds of each of its budgets, from the door to its record."""

    __slots__ = ("_at", "_budgets", "_door", "_held", "_open", "_price", "_waiter", "since")

    def __init__(self, budgets: "Budgets", pots: list[Pot], price: Price | None) -> None:
        self._budgets = budgets
        self._price = price
        self._held = [(pot, 0) for pot in pots]
        for pot in pots:
            pot.under_way += 1
        self._at = 0
        self._open = True
        self.since = budgets.now()

    def begin(self, waiter: Waiter, door: Door, ceiling: Ceiling) -> None:
        self._waiter, self._door = waiter, door
        most = ceiling.most_expected(self._budgets.answer_tokens)
        self._held = [(pot, _most(pot.budget, most, self._price)) for pot, _ in self._held]
        self._go_on()
        self._budgets.ask_for_unheard()

    def _go_on(self) -> None:
        while self._open and self._at < len(self._held):
            pot, most = self._held[self._at]
            if not pot.enter(self, most):
                return
            self._at += 1
        if self._open:
            self._door.arrive(self._waiter)

    def next(self) -> None:
        """The budget it waited for has let it in."""
        self._at += 1
        self._go_on()

    def refuse(self, refused: Refused) -> None:
        """One has no room: nothing is held of the others."""
        self.settle(None)
        self._waiter.turned_away(refused)

    def record(self, facts: Facts) -> None:
        self.settle(facts.charged())

    def settle(self, tokens: Tokens | None) -> None:
        if not self._open:
            return
        self._open = False
        if self._at < len(self._held):
            self._held[self._at][0].waiting.pop(self, None)
        for pot, _ in self._held:
            pot.under_way -= 1
        for pot, most in self._held[: self._at]:
            pot.settle(most, _amount(pot.budget, tokens or _NOTHING, self._price))


class Budgets:
    """All hard budgets at this gateway. `hurry`: asks control now, unless it is being asked."""

    def __init__(self, clock: Clock, answer_tokens: int, hurry: Callable[[], None]) -> None:
        """`answer_tokens`: as long an answer is taken to be that nothing limits."""
        self.now = clock.monotonic
        self.answer_tokens = answer_tokens
        self._clock = clock
        self._hurry = hurry
        self._pots: dict[tuple[str, int], Pot] = {}

    def apply(self, budgets: dict[str, Budget]) -> None:
        """These are in force. One that is gone lets everybody in; come back, it begins anew."""
        for name, pot in list(self._pots.items()):
            if pot.budget.id in budgets:
                pot.budget = budgets[pot.budget.id]
            else:
                del self._pots[name]
                pot.remove()

    def hold(self, ruling: Ruling, unix_us: int) -> Free:
        """Of a request that arrived at `unix_us`, its record's time: by this it is priced, and in a
        period."""
        pots = [self._pot(budget, unix_us // _US) for budget in ruling.budgets]
        return Hold(self, pots, price_at(ruling.prices, unix_us))

    def ask_for_unheard(self) -> None:
        """Ask control now where somebody waits of whom it has not heard."""
        if any(pot.unheard for pot in self._pots.values()):
            self._hurry()

    def _pot(self, budget: Budget, unix_s: int) -> Pot:
        name = (budget.id, budget.period.began(unix_s))
        pot = self._pots.get(name)
        if pot is None:
            pot = self._pots[name] = Pot(budget, unix_s)
        return pot

    # -- as the feed sees it

    def claims(self) -> list[Claim]:
        """All that is held, said to control; what is over is said once more and forgotten."""
        now_s = self._clock.unix_us() // _US
        claims = [pot.claim() for pot in self._pots.values()]
        self._pots = {
            name: pot
            for name, pot in self._pots.items()
            if pot.under_way or now_s < pot.ends_unix_s
        }
        return claims

    def take(self, allowances: Sequence[Allowance]) -> None:
        """Control's answer to the newest claims."""
        now_s = self._clock.unix_us() // _US
        for one in allowances:
            pot = self._pots.get((one.budget, one.period_unix_s))
            if pot is not None:
                pot.take(one, now_s)
        self.ask_for_unheard()

    # -- time

    def tick(self) -> None:
        """A few times a second: who control was not sure about is asked for again, for a while."""
        late = self._clock.monotonic() - WAIT_S
        waiting = [(pot, hold) for pot in self._pots.values() for hold in pot.waiting]
        for _, hold in waiting:
            if hold.since < late:
                text = "What is left of a budget is not known just now; try again."
                hold.refuse(unavailable("budget_unknown", text))
        if waiting:
            self._hurry()

    def beat(self) -> None:
        """Once a second."""
        for pot in self._pots.values():
            pot.purse.beat()


def _most(budget: Budget, most: tuple[int, int], price: Price | None) -> int:
    if budget.unit == TOKENS:
        return sum(most)
    if price is None or price.currency != budget.unit:
        return 0
    return most_picos(price, *most)


def _amount(budget: Budget, tokens: Tokens, price: Price | None) -> int:
    if budget.unit == TOKENS:
        return tokens.prompt + tokens.completion
    if price is None or price.currency != budget.unit:
        return 0
    return picos(price, tokens)

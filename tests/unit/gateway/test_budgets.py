"""Hard budgets at the door: what fits is let in, the rest told why, what ends gives back."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from inland.decide.allowances import Account
from inland.domain.allowances import Allowance
from inland.domain.budgets import TOKENS, Budget, Period
from inland.domain.pricing import Price
from inland.gateway.budgets import Budgets
from inland.gateway.errors import Refused
from tests.unit.gateway.world import ASK, KEYS, Reply, World, caller, snapshot, world

BODY = {"model": "smol", "messages": ASK, "max_tokens": 50}
SIZE = len(json.dumps(BODY).encode())
#: What a request is let in for: its bytes, and the answer it asks for.
MOST = SIZE + 50


class Control:
    """Control's end: accounts of its own, and a word on claims when it is asked."""

    def __init__(self, to: World, **limits: int) -> None:
        self.accounts = {name: Account(limit) for name, limit in limits.items()}
        self.to, self.sure, self.away, self.asked = to, True, False, 0
        to.gateway.budgets._hurry = self.hurry
        self._going = False

    def hurry(self) -> None:
        if not self._going:
            self._going = True
            asyncio.get_running_loop().call_soon(self.answer)

    def answer(self) -> None:
        self._going = False
        if self.away:
            return
        self.asked += 1
        budgets = self.to.gateway.budgets
        budgets.take(
            [
                self.accounts[claim.budget.split("/")[2]].answer("w1", claim, 1, sure=self.sure)
                for claim in budgets.claims()
            ]
        )


def budget(limit: int, unit: str = TOKENS, key: str | None = None) -> Budget:
    return Budget("demo", key, unit, Period.MONTH, limit, 80, hard=True)


def hold(to: World, *budgets: Budget, version: int = 2, prices: tuple[Price, ...] = ()) -> None:
    held = {one.id: one for one in budgets}
    new = replace(snapshot(version), budgets=held, prices={"smol": prices} if prices else {})
    to.apply(new)


async def ask(to: World, key: str = "demo") -> Reply:
    async with caller(to) as one:
        one.ask(json.dumps(BODY).encode(), key)
        return await one.reply()


@pytest.mark.parametrize("key", [None, KEYS["demo"].id])
def test_what_fits_is_served_and_the_rest_told_as_openai_does(key):
    async def run():
        async with world() as to:
            hold(to, budget(MOST + 11, key=key))
            control = Control(to, tokens=MOST + 11)
            assert (await ask(to)).status == 200  # 7 of the prompt, 4 of the answer
            assert (await ask(to)).status == 200
            refused = await ask(to)
            error = json.loads(refused.body)["error"]
            assert refused.status == 429
            assert (error["type"], error["code"]) == ("insufficient_quota",) * 2
            assert f"{MOST + 11:,} tokens a month of" in error["message"]
            assert "begins anew at" in error["message"]
            assert int(refused.headers["retry-after"]) >= 1
            assert (await ask(to, "acme")).status == 200, "another tenant's"
            assert control.accounts["tokens"].held["w1"] >= 22
            to.gateway._flush_refusals()
            (told,) = to.journal.records("refusal")
            assert told["code"] == "insufficient_quota"

    asyncio.run(run())


def test_without_a_budget_nothing_is_asked_of_control():
    async def run():
        async with world() as to:
            hold(to)
            control = Control(to)
            assert (await ask(to)).status == 200
            assert not control.asked

    asyncio.run(run())


def test_what_is_under_way_is_held_in_full_and_settled_on_the_engines_count():
    async def run():
        async with world() as to:
            to.engine.answer = None
            hold(to, budget(MOST))
            Control(to, tokens=MOST)
            async with caller(to) as one:
                one.ask(json.dumps(BODY).encode())
                (call,) = await to.calls(1)
                other = await ask(to)
                assert other.status == 429
                assert "held by requests under way" in json.loads(other.body)["error"]["message"]
                assert other.headers["retry-after"] == "1"
                call.say("a")
                call.finish()
                assert (await one.reply()).status == 200
            (pot,) = to.gateway.budgets._pots.values()
            assert (pot.purse.committed, pot.under_way) == (7 + 2, 0)

    asyncio.run(run())


@pytest.mark.parametrize("how", ["hang-up", "engine", "refused"])
def test_what_is_not_billed_is_given_back(how):
    async def run():
        async with world() as to:
            to.engine.answer = None
            hold(to, budget(MOST))
            Control(to, tokens=MOST)
            async with caller(to) as one:
                one.ask(json.dumps(BODY).encode())
                (call,) = await to.calls(1)
                if how == "engine":
                    call.prompt = 10**6  # a lie: nothing is believed
                    call.finish()
                    assert (await one.reply()).status == 502
                elif how == "refused":
                    to.decider.denied.add((KEYS["demo"].id, "smol"))
                    hold(to, budget(MOST), version=3)
                    assert (await one.reply()).status == 403
            (pot,) = to.gateway.budgets._pots.values()
            await to.until(lambda: not pot.under_way)
            billed = [r for r in to.journal.records() if r["billed"]]
            spent = sum(r["prompt_tokens"] + r["completion_tokens"] for r in billed)
            assert pot.purse.committed == spent < MOST

    asyncio.run(run())


def test_requests_wait_while_control_is_away_and_are_let_in_when_it_is_back():
    async def run():
        async with world() as to:
            hold(to, budget(10 * MOST))
            control = Control(to, tokens=10 * MOST)
            control.away = True
            waiting = [asyncio.create_task(ask(to)) for _ in range(3)]
            (pot,) = (await _pots(to, 1)).values()
            await to.until(lambda: len(pot.waiting) == 3)
            assert not to.engine.calls
            control.away, control.sure = False, False
            control.hurry()
            await asyncio.sleep(0.05)
            assert len(pot.waiting) == 3, "control did not know yet"
            control.sure = True  # the next beat asks again
            assert {(await one).status for one in waiting} == {200}

    asyncio.run(run())


def test_who_waits_too_long_is_told_and_who_hangs_up_is_forgotten():
    async def run():
        async with world() as to:
            hold(to, budget(10 * MOST))
            Control(to, tokens=10 * MOST).away = True
            async with caller(to) as one:
                one.ask(json.dumps(BODY).encode())
                (pot,) = (await _pots(to, 1)).values()
                await to.until(lambda: pot.waiting)
            await to.until(lambda: not pot.waiting)
            late = asyncio.create_task(ask(to))
            await to.until(lambda: pot.waiting)
            to.clock.ahead_s += 11
            refused = await late
            assert refused.status == 503
            assert json.loads(refused.body)["error"]["code"] == "budget_unknown"

    asyncio.run(run())


def test_a_budget_that_is_removed_lets_in_who_waits_for_it():
    async def run():
        async with world() as to:
            hold(to, budget(10 * MOST))
            Control(to, tokens=10 * MOST).away = True
            waiting = asyncio.create_task(ask(to))
            (pot,) = (await _pots(to, 1)).values()
            await to.until(lambda: pot.waiting)
            hold(to, version=3)
            assert (await waiting).status == 200
            assert not to.gateway.budgets._pots

    asyncio.run(run())


def test_a_budget_removed_while_another_is_waited_for_holds_nobody():
    async def run():
        async with world() as to:
            first, second = budget(10 * MOST), budget(1, "EUR")
            hold(to, first, second)
            control = Control(to, tokens=10 * MOST)
            control.away = True
            waiting = asyncio.create_task(ask(to))
            await _pots(to, 2)
            hold(to, first, version=3)
            control.away = False
            control.hurry()
            await to.until(waiting.done)
            assert (await waiting).status == 200

    asyncio.run(run())


class HandClock:
    """Time as a test says it."""

    def __init__(self, us: int) -> None:
        self.us = us

    def unix_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / 1e6


class Waits:
    """A request, and the lane it goes to."""

    def __init__(self) -> None:
        self.arrived = 0
        self.refused: list[Refused] = []

    def arrive(self, request: object) -> None:
        self.arrived += 1

    def turned_away(self, refused: Refused) -> None:
        self.refused.append(refused)

    def most_expected(self, answer_tokens: int) -> tuple[int, int]:
        return 10, answer_tokens


def test_a_day_that_ends_while_a_month_is_waited_for_is_asked_for_all_the_same():
    clock = HandClock((86_400 - 1) * 10**6)
    budgets = Budgets(clock, 5, lambda: None)
    held = tuple(Budget("demo", None, TOKENS, one, 1, 80, hard=True) for one in Period)[::-1]
    waits = Waits()
    hold = budgets.hold(SimpleNamespace(budgets=held, prices=()), clock.unix_us())
    hold.begin(waits, waits, waits)
    clock.us += 2 * 10**6
    month = next(one for one in budgets.claims() if "/month" in one.budget)
    budgets.take([Allowance(month.budget, month.period_unix_s, 15)])
    assert not waits.arrived, "the day has no word yet"
    (day,) = [one for one in budgets.claims() if "/day" in one.budget]
    budgets.take([Allowance(day.budget, day.period_unix_s, 15)])
    assert (waits.arrived, waits.refused) == (1, [])
    hold.settle(None)
    budgets.claims()
    assert {pot.budget.period for pot in budgets._pots.values()} == {Period.MONTH}


def test_money_is_held_at_the_price_of_the_moment_and_every_budget_must_have_room():
    async def run():
        async with world() as to:
            price = Price("smol", 0, "EUR", 1_000_000, 1_000_000, 2_000_000)  # micros a million
            most = SIZE * 10**6 + 50 * 2 * 10**6  # picos
            tokens, money = budget(10**6), budget(1, "EUR")
            hold(to, tokens, money, prices=(price,))
            control = Control(to, tokens=10**6, EUR=most)
            assert (await ask(to)).status == 200
            pots = {pot.budget.unit: pot for pot in to.gateway.budgets._pots.values()}
            assert pots["EUR"].purse.committed == 7 * 10**6 + 4 * 2 * 10**6
            refused = await ask(to)
            assert refused.status == 429
            assert "0.01 EUR a month of tenant demo" in json.loads(refused.body)["error"]["message"]
            assert pots["tokens"].purse.committed == 11, "what was refused holds nothing"
            assert control.accounts["tokens"].left <= 10**6 - 11

    asyncio.run(run())


def test_two_hundred_at_once_never_pass_it_and_it_is_used():
    async def run():
        async with world(None) as to:
            limit = 20 * MOST
            hold(to, budget(limit))
            Control(to, tokens=limit)
            replies = await asyncio.gather(*(ask(to) for _ in range(200)))
            served = sum(reply.status == 200 for reply in replies)
            assert {reply.status for reply in replies} == {200, 429}
            spent = sum(r["prompt_tokens"] + r["completion_tokens"] for r in to.journal.records())
            assert spent == served * 11 <= limit
            assert served >= 20

    asyncio.run(run())


async def _pots(to: World, count: int):
    await to.until(lambda: len(to.gateway.budgets._pots) == count)
    return to.gateway.budgets._pots

"""Budgets over the books, and what gateways are let spend of the hard ones."""

from dataclasses import replace

import pytest

from inland.domain.allowances import Claim
from inland.domain.budgets import DAY_S, TOKENS, Budget, Period
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.plant.allowances import Allowances
from inland.plant.budgets import Budgets, Standing
from inland.ports.billing import Spending

BUDGET = Budget("acme", None, TOKENS, Period.DAY, 1000, 80, hard=True)


@pytest.fixture
def acme(plant):
    plant.tenants.add("op", "acme")
    return plant


def today(plant) -> int:
    return Period.DAY.began(plant.clock.unix_us() // 10**6)


def spend(plant, prompt: int, writer: str = "w1", day: int | None = None, **names) -> None:
    day = today(plant) if day is None else day
    row = Spending(day, "acme", "k", "smollm2", writer, 0, prompt, 0, 0)
    with plant.store.write() as transaction:
        transaction.billing.add_spending([replace(row, **names)])
        transaction.state.raise_version()  # as booking a batch shows: something is new


def test_a_budget_stands_as_the_books_say(acme):
    acme.budgets.set("op", BUDGET)
    acme.budgets.set("op", replace(BUDGET, key=None, period=Period.MONTH, limit=10_000))
    spend(acme, 10**6, tenant="demo")
    spend(acme, 10**6, day=today(acme) - 40 * DAY_S)
    for prompt, standing in ((799, Standing.OK), (1, Standing.WARNED), (200, Standing.SPENT)):
        spend(acme, prompt)
        month, day = sorted(acme.budgets.all("acme"), key=lambda one: -one.limit)
        assert (day.standing, month.standing) == (standing, Standing.OK)
    assert {one.used for one in acme.budgets.all("acme")} == {1000}
    assert acme.budgets.all("demo") == []


def test_money_is_counted_exactly_and_only_what_is_priced_in_it(acme):
    acme.budgets.set("op", replace(BUDGET, unit="EUR", limit=100))
    spend(acme, 3)
    assert acme.budgets.all()[0].used == 0
    price = acme.prices.set("op", "smollm2", (150_000, 1, 1), "EUR")
    assert acme.budgets.all()[0].used == 3 * 150_000, "the day's price is the first one's"
    spend(acme, 5, price_unix_s=price.since_unix_s, cached_tokens=2)
    assert acme.budgets.all()[0].used == 3 * 150_000 + 3 * 150_000 + 2
    assert acme.budgets.all()[0].limit == 10**12
    acme.budgets.set("op", replace(BUDGET, unit="USD", limit=100))
    assert {one.budget.unit: one.used for one in acme.budgets.all()}["USD"] == 0


def test_there_is_one_budget_of_each_name_and_gateways_hear_of_the_hard_ones(acme):
    acme.budgets.set("op", replace(BUDGET, hard=False))
    assert acme.snapshot.budgets == {}
    acme.budgets.set("op", BUDGET)
    assert acme.snapshot.budgets == {BUDGET.id: BUDGET}
    assert [one.budget for one in acme.budgets.all()] == [BUDGET]
    acme.prices.set("op", "smollm2", (1, 1, 1), "EUR")
    assert acme.snapshot.prices == {}
    acme.budgets.set("op", replace(BUDGET, unit="EUR"))
    assert set(acme.snapshot.prices) == {"smollm2"}
    acme.budgets.remove("op", BUDGET.id)
    with pytest.raises(NotFound):
        acme.budgets.remove("op", BUDGET.id)
    whats = [record["what"] for record in acme.records()]
    assert whats.count("budget.set") == 3
    assert whats.count("budget.remove") == 1


def test_what_cannot_be_is_refused_whole(acme):
    key, _ = acme.keys.add("op", "acme")
    acme.tenants.add("op", "demo")
    for wrong, error in (
        (replace(BUDGET, tenant="zeta"), NotFound),
        (replace(BUDGET, tenant="demo", key=key.id), NotFound),
        (replace(BUDGET, unit="EURO"), BadInput),
        (replace(BUDGET, limit=-1), BadInput),
        (replace(BUDGET, soft_percent=0), BadInput),
    ):
        with pytest.raises(error):
            acme.budgets.set("op", wrong)
    with pytest.raises(Conflict, match=r"limits\.budgets"):
        Budgets(acme.changes, 0).set("op", BUDGET)
    assert acme.budgets.all() == []
    acme.budgets.set("op", replace(BUDGET, key=key.id))


@pytest.mark.parametrize(
    ("period", "unix_s", "began", "ends"),
    [
        (Period.DAY, 86_399, 0, 86_400),
        (Period.DAY, 86_400, 86_400, 172_800),
        (Period.MONTH, 1_709_164_800 + 86_399, 1_706_745_600, 1_709_251_200),  # 29 February 2024
        (Period.MONTH, 1_735_689_599, 1_733_011_200, 1_735_689_600),  # the last second of 2024
    ],
)
def test_days_and_months_are_those_of_utc(period, unix_s, began, ends):
    assert (period.began(unix_s), period.ends(unix_s)) == (began, ends)
    assert period.began(began) == began
    assert period.began(ends) == ends


class Control:
    """The allowances of one life of control, over the same books."""

    def __init__(self, plant, *unsettled: str) -> None:
        self.plant, self.unsettled, self.damaged = plant, set(unsettled), set[str]()
        self.made = Allowances(
            plant.store, plant.clock, lambda: frozenset(self.unsettled), lambda: self.damaged
        )
        self.asks = 0
        self.made.step()

    def ask(self, writer: str, *, waiting: int = 0, held: int | None = None):
        """A claim for so much; `held` None: a fresh one."""
        self.asks += 1
        period = today(self.plant)
        claim = Claim(BUDGET.id, period, held or 0, waiting, waiting, fresh=held is None)
        (told,) = self.made.answer(writer, self.asks, [claim])
        return told


def test_nothing_is_given_before_every_gateway_that_may_spend_was_heard(acme):
    acme.budgets.set("op", BUDGET)
    control = Control(acme, "w1", "w2")
    assert not control.ask("w1", waiting=10).sure
    assert control.ask("w2", held=990).sure
    assert control.ask("w1", waiting=11).held == 0
    assert control.ask("w1", waiting=10).held == 10


def test_what_a_dead_gateway_held_counts_until_its_journal_is_booked(acme):
    acme.budgets.set("op", BUDGET)
    control = Control(acme, "w1", "w2")
    control.ask("w2", held=0)
    assert control.ask("w1", waiting=900).held == 900
    for _ in range(3):
        control.made.step()
    assert control.ask("w2", waiting=200).held == 0
    spend(acme, 300, "w1")
    control.unsettled.discard("w1")
    control.made.step()
    assert control.ask("w2", waiting=701).held == 0
    assert control.ask("w2", waiting=700).held == 700


def test_another_life_of_control_gives_no_more_than_the_one_before(acme):
    acme.budgets.set("op", BUDGET)
    first = Control(acme, "w1", "w2")
    first.ask("w2", held=0)
    assert first.ask("w1", waiting=900).held == 900
    second = Control(acme, "w1", "w2")
    assert not second.ask("w2", waiting=200).sure
    second.ask("w1", held=900)
    told = second.ask("w2", waiting=200)
    assert (told.sure, told.held) == (True, 0)
    assert second.ask("w2", waiting=100).held == 100


def test_a_gateway_whose_journal_is_damaged_holds_nobody_up(acme):
    acme.budgets.set("op", BUDGET)
    control = Control(acme, "w1", "w2")
    assert not control.ask("w2", waiting=5).sure
    control.damaged.add("w1")
    control.made.step()
    assert control.ask("w2", waiting=5).sure


def test_an_ask_of_a_connection_that_is_gone_changes_nothing(acme):
    acme.budgets.set("op", BUDGET)
    control = Control(acme, "w1")
    assert control.ask("w1", waiting=600).held == 600
    stale = Claim(BUDGET.id, today(acme), 0)
    assert control.made.answer("w1", 1, [stale]) == []
    control.made.answer("w3", 1, [])
    assert control.ask("w3", waiting=401).held == 0


def test_what_a_budget_that_is_not_known_yet_holds_is_not_sure(acme):
    control = Control(acme, "w1")
    assert not control.ask("w1", waiting=5).sure
    acme.budgets.set("op", BUDGET)
    control.made.step()
    assert control.ask("w1", waiting=5).held == 5


def test_a_new_period_begins_with_all_of_it_and_the_last_one_goes_on_a_while(acme):
    acme.budgets.set("op", BUDGET)
    spend(acme, 1000)
    control = Control(acme, "w1")
    before = today(acme)
    assert control.ask("w1", waiting=1).held == 1000  # what this life came to, and no more
    acme.clock.now_s += before + DAY_S - acme.clock.unix_us() // 10**6
    control.made.step()
    assert control.ask("w1", waiting=1000).held == 1000
    (late,) = control.made.answer("w1", 99, [Claim(BUDGET.id, before, 1000, 1, 1)])
    assert (late.sure, late.held) == (True, 1000)

"""A hard budget is never passed, whatever comes, goes, dies or is lost; and none of it is lost."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inland.decide.allowances import Account, Purse
from inland.domain.allowances import Claim

AT = 0
NAME = "acme/*/tokens/day"


@dataclass
class Gateway:
    """One life: its purse, what its requests under way may come to, and its records."""

    writer: str
    purse: Purse = field(default_factory=Purse)
    under_way: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    billed: int = 0
    booked: int = 0
    alive: bool = True
    sent: tuple[int, Claim] | None = None

    def claim(self) -> Claim:
        return self.purse.claim(NAME, AT, self.waiting)

    def let_in(self) -> None:
        for most in list(self.waiting):
            if self.purse.reserve(most):
                self.waiting.remove(most)
                self.under_way.append(most)


class Factory(RuleBasedStateMachine):
    """Up to four gateways and one control, any of which may die; messages may be lost."""

    @initialize(limit=st.integers(0, 1000))
    def begin(self, limit: int) -> None:
        self.limit = limit
        self.lives = 0
        self.gateways: list[Gateway] = []
        self.account = Account(limit)
        self.told: set[str] = set()
        for _ in range(3):
            self.start_gateway()

    def living(self) -> list[Gateway]:
        return [one for one in self.gateways if one.alive]

    @precondition(lambda self: len(self.living()) < 4)
    @rule()
    def start_gateway(self) -> None:
        self.lives += 1
        self.gateways.append(Gateway(f"w{self.lives}"))

    @rule(at=st.integers(0, 3), most=st.integers(1, 300))
    def arrive(self, at: int, most: int) -> None:
        if living := self.living():
            gateway = living[at % len(living)]
            gateway.waiting.append(most)
            gateway.let_in()

    @rule(at=st.integers(0, 3), part=st.floats(0, 1))
    def end(self, at: int, part: float) -> None:
        busy = [one for one in self.living() if one.under_way]
        if busy:
            gateway = busy[at % len(busy)]
            most = gateway.under_way.pop(0)
            came_to = int(most * part)
            gateway.purse.settle(most, came_to)
            gateway.billed += came_to
            gateway.let_in()

    @rule(at=st.integers(0, 3), fate=st.sampled_from(["heard", "ask lost", "answer lost"]))
    def ask(self, at: int, fate: str) -> None:
        if living := self.living():
            gateway = living[at % len(living)]
            gateway.purse.beat()
            claim = gateway.claim()
            if fate == "ask lost":
                return
            self.told.add(gateway.writer)
            allowance = self.account.answer(
                gateway.writer, claim, len(self.told), sure=self.is_sure()
            )
            if fate == "heard":
                gateway.purse.take(allowance)
                gateway.let_in()

    def is_sure(self) -> bool:
        unsettled = {one.writer for one in self.gateways if one.alive or one.booked < one.billed}
        return unsettled <= self.told

    @rule(at=st.integers(0, 9))
    def book(self, at: int) -> None:
        if self.gateways:
            gateway = self.gateways[at % len(self.gateways)]
            gateway.booked = gateway.billed
            self.account.booked[gateway.writer] = gateway.booked
            if not gateway.alive:
                self.account.held.pop(gateway.writer, None)
                self.told.discard(gateway.writer)

    @rule(at=st.integers(0, 3))
    def kill_gateway(self, at: int) -> None:
        if living := self.living():
            gateway = living[at % len(living)]
            gateway.alive = False
            gateway.under_way.clear()

    @rule()
    def kill_control(self) -> None:
        booked = {one.writer: one.booked for one in self.gateways if one.booked}
        self.account, self.told = Account(self.limit, booked), set()

    @invariant()
    def nothing_passes_the_limit(self) -> None:
        billed = sum(one.billed for one in self.gateways)
        possible = sum(sum(one.under_way) for one in self.gateways)
        assert billed + possible <= self.limit

    def teardown(self) -> None:
        """When all is quiet, whoever fits into what is left is let in within two asks of each."""
        if not hasattr(self, "gateways"):
            return
        for gateway in self.living():
            for most in gateway.under_way:
                gateway.purse.settle(most, 0)
            gateway.under_way.clear()
            gateway.waiting.clear()
        for at in range(len(self.gateways)):
            self.book(at)
        for _ in range(3):
            for at in range(len(self.living())):
                self.ask(at, "heard")
        left = self.limit - sum(one.billed for one in self.gateways)
        if self.living() and left > 0:
            self.arrive(0, left)
            self.ask(0, "heard")
            assert sum(self.living()[0].under_way) == left


TestFactory = Factory.TestCase
TestFactory.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def told(account: Account, writer: str, claim: Claim, gateways: int = 2):
    return account.answer(writer, claim, gateways, sure=True)


def fresh(**wanted: int) -> Claim:
    return Claim(NAME, AT, 0, fresh=True, **wanted)


def test_a_gateway_that_begins_is_told_what_this_life_of_it_came_to_before():
    account = Account(1000, {"a": 300})
    allowance = told(account, "a", fresh(least=50, waiting=50))
    assert (allowance.base, allowance.held) == (300, 350)
    assert account.left == 650
    purse = Purse()
    purse.take(allowance)
    assert purse.reserve(50)
    assert not purse.reserve(1)


def test_an_answer_that_was_lost_takes_nothing_from_anybody():
    account = Account(100)
    for _ in range(2):
        assert told(account, "a", fresh(least=100, waiting=100)).held == 100
    assert told(account, "a", fresh(least=100, waiting=100)).base == 0


def test_nothing_is_given_before_everybody_was_heard_and_what_is_held_is_remembered():
    account = Account(1000)
    claim = Claim(NAME, AT, 700, 10, 10, 10)
    assert account.answer("a", claim, 1, sure=False).held == 700
    assert told(account, "b", fresh(least=301, waiting=301)).held == 0
    assert told(account, "b", fresh(least=300, waiting=300)).held == 300


def test_what_one_lets_go_of_another_can_have():
    account = Account(100)
    purse = Purse()
    purse.take(told(account, "a", fresh(least=100, waiting=100)))
    assert purse.reserve(100)
    assert told(account, "b", fresh(least=60, waiting=60)).held == 0
    purse.settle(100, 40)
    for _ in range(2):
        purse.beat()
    purse.take(told(account, "a", purse.claim(NAME, AT, [])))
    assert purse.held == 40
    assert told(account, "b", fresh(least=60, waiting=60)).held == 60


def test_a_gateway_holds_ahead_what_it_used_lately_and_leaves_some_to_others():
    account = Account(10_000)
    purse = Purse()
    purse.take(told(account, "a", fresh(least=500, waiting=500)))
    assert purse.reserve(500)
    purse.beat()
    purse.take(told(account, "a", purse.claim(NAME, AT, []), 4))
    assert purse.held == 1000
    account.limit = 1400
    purse.settle(500, 500)
    purse.held = purse.committed
    purse.take(told(account, "a", purse.claim(NAME, AT, []), 4))
    assert purse.held - purse.committed == (1400 - 500) // 8


@given(st.lists(st.integers(1, 100), max_size=5), st.integers(0, 300), st.integers(0, 300))
def test_a_claim_lets_go_of_nothing_that_is_committed(waiting, held, committed):
    purse = Purse(max(held, committed), committed, fresh=False)
    claim = purse.claim(NAME, AT, waiting)
    assert committed <= claim.held == purse.held <= max(held, committed)
    assert claim.held + claim.waiting >= min(held, committed + sum(waiting))


def test_what_an_engine_counts_beyond_what_was_asked_counts_and_lets_nobody_in():
    purse = Purse(100, 0, fresh=False)
    assert purse.reserve(90)
    purse.settle(90, 120)
    claim = purse.claim(NAME, AT, [])
    assert claim.held == 120
    account = Account(1000)
    assert told(account, "a", claim).held >= 120
    assert account.left <= 880

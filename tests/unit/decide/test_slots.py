"""Laws of slots: a prompt left in a slot is reused by the tenant it came from, never by another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from inland.decide.slots import (
    SETTLE_S,
    Grant,
    Slots,
    common,
    let_go,
    resize,
    slots_of,
    take,
)
from inland.domain.plant import Residue

TENANTS = ("a", "b")


@dataclass
class Sent:
    """A request as the engine has it: sent to `slot`, read in or not yet."""

    number: int
    tenant: str
    slot: int
    reuse: bool
    seats: int
    read: bool = False
    until: float = (
        inf  # of one that nobody waits for: when it will surely have been read or dropped
    )


@dataclass
class Engine:
    """An engine of the worst kind that is allowed: it reads requests in whenever it likes, but what
    nobody waits for no later than `SETTLE_S` after it next finished anything."""

    slots: dict[int, set[str]]
    under_way: dict[int, Sent] = field(default_factory=dict)
    ghosts: list[Sent] = field(default_factory=list)

    def read(self, sent: Sent) -> None:
        """Read its prompt into its slot. What is there is either reused or cleared."""
        held = self.slots[sent.slot]
        if sent.reuse:
            assert held <= {sent.tenant}, "another tenant's prompt was reused"
        self.slots[sent.slot] = {sent.tenant}
        sent.read = True


class Sharing(RuleBasedStateMachine):
    """Two gateways, one engine; requests that end well, fail, or are lost sight of; restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.numbers: Iterator[int] = count(1)
        self.size = 2
        self.engine = Engine({slot: set() for slot in range(self.size)})
        self.gateways = [slots_of(range(i, self.size, 2), quiet=True) for i in range(2)]
        self.mine: list[dict[int, Sent]] = [{}, {}]

    @rule(
        gateway=st.sampled_from([0, 0, 0, 1]),
        tenant=st.sampled_from(TENANTS),
        seats=st.sampled_from([1, 1, 1, 2]),
        ends=st.sampled_from(["well", "well", "refused", "refused late", "lost", "later"]),
    )
    def request(self, gateway: int, tenant: str, seats: int, ends: str) -> None:
        number = next(self.numbers)
        grant = take(self.gateways[gateway], number, tenant, seats, (1, 2), self.now)
        if grant is None:
            return
        sent = Sent(number, tenant, grant.slot, grant.reuse, seats)
        assert sent.slot % 2 == gateway
        assert all(one.slot != sent.slot for held in self.mine for one in held.values())
        self.mine[gateway][number] = sent
        self.go_on(gateway, sent, ends)

    @precondition(lambda self: any(self.mine))
    @rule(data=st.data(), ends=st.sampled_from(["well", "refused", "lost", "read"]))
    def something_comes_of_a_request(self, data: st.DataObject, ends: str) -> None:
        gateway = data.draw(st.sampled_from([i for i in range(2) if self.mine[i]]))
        sent = data.draw(st.sampled_from(list(self.mine[gateway].values())))
        self.go_on(gateway, sent, ends)

    def go_on(self, gateway: int, sent: Sent, ends: str) -> None:
        """The engine may refuse before or after it has cleared the slot."""
        if ends in {"well", "refused late", "read"} and not sent.read:
            self.engine.read(sent)
        if ends == "well":
            self.finished(gateway, sent)
        elif ends in {"refused", "refused late"}:
            self.gone(gateway, sent, Residue.UNKNOWN)
        elif ends == "lost":
            self.haunt(sent)
            self.gone(gateway, sent, Residue.PROMPT if sent.read else Residue.PENDING)

    def finished(self, gateway: int, sent: Sent) -> None:
        if sent.seats > 1:  # the engine cleared the slot that it took for the other choice
            busy = {one.slot for held in self.mine for one in held.values()}
            for other in sorted(self.engine.slots.keys() - busy)[: sent.seats - 1]:
                self.engine.slots[other] = set()
        for ghost in self.engine.ghosts:
            ghost.until = min(ghost.until, self.now + SETTLE_S)
        self.gone(gateway, sent, Residue.PROMPT)

    def gone(self, gateway: int, sent: Sent, residue: Residue) -> None:
        del self.mine[gateway][sent.number]
        let_go(self.gateways[gateway], sent.number, residue, self.now)

    def haunt(self, sent: Sent) -> None:
        if not sent.read:
            self.engine.ghosts.append(sent)

    @precondition(lambda self: self.engine.ghosts)
    @rule(data=st.data(), after=st.sampled_from(TENANTS))
    def ghost_is_read(self, data: st.DataObject, after: str) -> None:
        """Nobody sees what it reuses; but it leaves its prompt, between two of another's."""
        self.request(0, after, 1, "well")
        ghosts = self.engine.ghosts
        ghost = ghosts.pop(data.draw(st.integers(0, len(ghosts) - 1)))
        self.engine.slots[ghost.slot].add(ghost.tenant)
        self.request(0, after, 1, "well")

    @rule(seconds=st.sampled_from([0.1, SETTLE_S / 2, SETTLE_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.engine.ghosts = [one for one in self.engine.ghosts if one.until > self.now]

    @rule(gateway=st.integers(0, 1))
    def kill_gateway(self, gateway: int) -> None:
        for sent in self.mine[gateway].values():
            self.haunt(sent)
        self.mine[gateway] = {}
        self.gateways[gateway] = slots_of(range(gateway, self.size, 2))

    @rule(told=st.booleans(), size=st.sampled_from([2, 4]))
    def restart_engine(self, told: bool, size: int) -> None:
        """Every request ends, every slot is empty; only another size is surely noticed."""
        for gateway in range(2):
            for sent in list(self.mine[gateway].values()):
                self.gone(gateway, sent, Residue.UNKNOWN)
            if told or size != self.size:
                resize(self.gateways[gateway], range(gateway, size, 2))
        self.size = size
        self.engine = Engine({slot: set() for slot in range(size)})


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)


def use(
    state: Slots, number: int, tenant: str, prefix: tuple[int, ...] = (), at: float = 0
) -> Grant:
    """A request that comes and ends well."""
    grant = take(state, number, tenant, 1, prefix, at)
    assert grant is not None
    let_go(state, number, Residue.PROMPT, at)
    return grant


def test_a_tenant_finds_its_prompt_again_and_another_never_does() -> None:
    state = slots_of([0, 1], quiet=True)
    first = use(state, 1, "a", (1, 2, 3))
    assert use(state, 2, "a", (1, 2, 3, 4)) == Grant(first.slot, reuse=True)
    assert use(state, 3, "b", (1, 2, 3)) == Grant(1 - first.slot, reuse=False)
    assert use(state, 4, "b", (1, 2, 3)) == Grant(1 - first.slot, reuse=True)
    assert use(state, 5, "c", (1, 2, 3)) == Grant(first.slot, reuse=False)
    assert not use(state, 6, "a", (1, 2, 3)).reuse


def test_each_conversation_keeps_a_slot_of_its_own() -> None:
    state = slots_of(range(3), quiet=True)
    one = use(state, 1, "a", (1, 2, 3, 4))
    other = use(state, 2, "a", (1, 9))  # the same first words: not worth the loss of the rest
    assert one.slot != other.slot
    assert use(state, 3, "a", (1, 2, 3, 4, 5)) == Grant(one.slot, reuse=True)
    assert use(state, 4, "a", (1, 9, 8)) == Grant(other.slot, reuse=True)


def test_a_tenant_gives_up_its_own_prompt_before_another_ones() -> None:
    state = slots_of(range(2), quiet=True)
    quiet, own = use(state, 1, "b", (7,)), use(state, 2, "a", (1, 2, 3, 4))
    assert use(state, 3, "a", (1, 9)) == Grant(own.slot, reuse=True)
    assert use(state, 4, "b", (7,)) == Grant(quiet.slot, reuse=True)


@pytest.mark.parametrize("residue", [Residue.UNKNOWN, Residue.PENDING])
def test_a_request_that_ended_badly_leaves_nothing_to_reuse(residue: Residue) -> None:
    """llama.cpp refuses a prompt that is too long without clearing the slot."""
    state = slots_of([0], quiet=True)
    use(state, 1, "a")
    assert take(state, 2, "b", 1, (), 0) == Grant(0, reuse=False)
    let_go(state, 2, residue, 0)
    assert take(state, 3, "b", 1, (), 0) == Grant(0, reuse=False)


def test_what_was_lost_sight_of_is_waited_out_from_when_the_engine_works_again() -> None:
    state = slots_of([0], quiet=True)
    take(state, 1, "a", 1, (), 0)
    let_go(state, 1, Residue.PENDING, 1)
    assert not use(state, 2, "b", at=1000).reuse
    assert not use(state, 3, "b", at=1000 + SETTLE_S - 1).reuse
    assert not use(state, 4, "b", at=1000 + SETTLE_S).reuse
    assert use(state, 5, "b", at=1000 + SETTLE_S).reuse


def test_a_later_life_of_a_gateway_waits_until_nothing_of_the_earlier_can_come() -> None:
    state = slots_of([0])
    assert not use(state, 1, "a", at=5).reuse
    assert not use(state, 2, "a", at=5 + SETTLE_S).reuse
    assert use(state, 3, "a", at=5 + SETTLE_S).reuse


def test_slots_of_other_choices_are_held_and_forgotten() -> None:
    state = slots_of(range(3), quiet=True)
    use(state, 1, "a")
    assert take(state, 2, "a", 3, (), 0) == Grant(1, reuse=False)
    assert take(state, 3, "a", 1, (), 0) is None
    let_go(state, 2, Residue.PROMPT, 0)
    assert take(state, 4, "a", 1, (), 0) == Grant(0, reuse=False)
    assert take(state, 5, "a", 1, (), 0) == Grant(1, reuse=True)
    assert take(state, 6, "a", 1, (), 0) == Grant(2, reuse=False)


def test_a_slot_that_was_lost_is_given_out_no_more() -> None:
    state = slots_of(range(2), quiet=True)
    assert [take(state, n, "a", 1, (), 0) for n in (1, 2)] == [Grant(0, False), Grant(1, False)]
    resize(state, [0])
    let_go(state, 2, Residue.PROMPT, 0)
    assert take(state, 3, "a", 1, (), 0) is None
    let_go(state, 1, Residue.PROMPT, 0)
    assert take(state, 4, "a", 1, (), 0) == Grant(0, reuse=True)
    assert list(state.slots) == [0]


def test_what_works_at_once_lies_in_a_row() -> None:
    """A gap is filled first; what nobody works beside goes to the oldest, so that all are used."""
    state = slots_of(range(8), quiet=True)
    for number in range(8):
        use(state, number, f"t{number}", (number,))
    taken = [take(state, 10 + n, "a", 1, (100 + n,), 0) for n in range(5)]
    assert sorted(one.slot for one in taken if one) == [0, 1, 2, 3, 4]
    let_go(state, 12, Residue.PROMPT, 0)
    assert take(state, 20, "a", 1, (200,), 0) == Grant(2, reuse=True)
    for number in (10, 11, 13, 14, 20):
        let_go(state, number, Residue.PROMPT, 0)
    assert use(state, 30, "b", (300,)).slot == 5
    assert use(state, 31, "t6", (6,)) == Grant(6, reuse=True)


def test_common_counts_what_two_prompts_share_from_the_start() -> None:
    assert common((), (1,)) == 0
    assert common((1, 2, 3), (1, 2, 4, 5)) == 2
    assert common((1, 2), (1, 2, 3)) == 2
    assert common((9,), (1,)) == 0


def test_an_answer_that_had_no_slot_says_nothing_of_the_slots() -> None:
    """Vectors come from a server of their own beside the one the slots are of."""
    state = slots_of([0], quiet=True)
    take(state, 1, "a", 1, (), 0)
    let_go(state, 1, Residue.PENDING, 1)
    let_go(state, 2, Residue.PROMPT, 1000)
    assert not use(state, 3, "b", at=1000 + SETTLE_S).reuse
    assert not use(state, 4, "b", at=1000 + SETTLE_S).reuse

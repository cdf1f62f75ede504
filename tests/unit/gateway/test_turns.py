"""Who asks control next: nobody takes all of it, and operators always get through."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from inland.domain.limits import Limits
from inland.gateway.turns import OPERATORS, STRANGERS, Turns, tenant

SMALL = replace(Limits(), relayed=6, relayed_per_caller=2, relay_queue=8, relay_queue_per_caller=4)


@dataclass(eq=False)
class Asked:
    caller: str
    size: int = 1
    begun: bool = False

    def begin(self) -> None:
        assert not self.begun
        self.begun = True


def asked(turns: Turns, caller: str, count: int = 1) -> list[Asked]:
    """Those that were taken."""
    return [one for one in (Asked(caller) for _ in range(count)) if turns.arrive(one)]


def test_one_tenant_holds_no_more_than_its_share_however_much_it_asks() -> None:
    turns = Turns(SMALL)
    taken = asked(turns, tenant("a"), 100)
    assert (sum(one.begun for one in taken), len(taken)) == (2, 6)
    (other,) = asked(turns, tenant("b"))
    assert other.begun


def test_operators_get_through_while_everybody_else_waits() -> None:
    turns = Turns(SMALL)
    for name in "abcdefgh":
        asked(turns, tenant(name), 10)
    asked(turns, STRANGERS, 10)
    assert [one.begun for one in asked(turns, OPERATORS, 2)] == [True, True]


def test_a_tenant_named_like_the_operators_is_not_they() -> None:
    assert tenant(OPERATORS) != OPERATORS


def test_callers_take_turns() -> None:
    turns = Turns(replace(SMALL, relayed=3, relayed_per_caller=1))
    running = asked(turns, tenant("a")) + asked(turns, tenant("b"))
    waiting = asked(turns, tenant("a"), 2) + asked(turns, tenant("b"), 2)
    order = []
    while running:
        turns.left(running.pop(0))
        begun = [one for one in waiting if one.begun and one not in order]
        order += begun
        running += begun
    assert [one.caller[-1] for one in order] == ["a", "b", "a", "b"]


def test_who_hangs_up_while_it_waits_is_never_asked() -> None:
    turns = Turns(SMALL)
    first, second, third = asked(turns, tenant("a"), 3)
    turns.left(third)
    turns.left(first)
    turns.left(second)
    assert not third.begun


def test_what_waits_is_bounded_in_bytes() -> None:
    turns = Turns(replace(SMALL, bodies_bytes=10))
    asked(turns, tenant("a"), 2)
    assert turns.arrive(Asked(tenant("a"), 6))
    assert not turns.arrive(Asked(tenant("a"), 6))


@given(st.lists(st.tuples(st.sampled_from("abcdefop"), st.booleans(), st.integers(0, 9))))
def test_no_bound_is_ever_passed_and_nothing_that_fits_waits(steps: list) -> None:
    turns, held = Turns(SMALL), []
    for name, arrives, at in steps:
        caller = OPERATORS if name in "op" else tenant(name)
        if arrives:
            held += asked(turns, caller)
        elif held:
            turns.left(held.pop(at % len(held)))
        running = [one.caller for one in held if one.begun]
        waits = [one.caller for one in held if not one.begun]
        assert len(running) <= 6
        assert len(waits) <= 8
        assert all(running.count(one) <= 2 for one in running)
        assert all(waits.count(one) <= 4 for one in waits)
        assert OPERATORS not in waits or running.count(OPERATORS) == 2
        if waits and len([one for one in running if one != OPERATORS]) < 4:
            assert all(running.count(one) == 2 for one in waits)

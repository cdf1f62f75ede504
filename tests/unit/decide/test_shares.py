"""Laws of shares between gateways: one holder a slot, work conserved, a death costs nobody."""

from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.shares import Holding, Shares, _Pool
from inland.domain.shares import Demand, Portion
from tests.unit.decide.crowds import REACT_S, Crowds, crowds


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=15, deadline=None)
def test_four_gateways_are_one_whatever_comes_where_and_whoever_dies(seed):
    """That no slot is used twice is looked at with every start."""
    hold(seed)


def hold(seed: int) -> Crowds:
    made = crowds(seed)
    made.run(8)
    assert made.longest_idle_s <= REACT_S, f"a slot idled for {made.longest_idle_s} s"
    assert made.worst <= 1, "the service bound"
    assert made.longest_reserved_wait_s <= made.reserved_wait_s(), "a reservation"
    return made


def test_an_even_demand_has_even_shares_and_a_skewed_one_follows_it():
    shares, held = _two()
    told = shares.portions(1.0)
    for name, holding in held.items():
        holding.take(told[name][1]["d"], 1, ())
    assert {name: len(holding.ids) for name, holding in held.items()} == {"a": 4, "b": 4}
    quiet = Demand(held["b"].say(2, ()), {})
    shares.wants("b", 2, 1, {"d": quiet})
    told = shares.portions(1.1)
    held["b"].take(told["b"][1]["d"], 2, ())
    assert held["b"].ids == ()
    assert len(told["a"][1]["d"].ids) == 4, "nothing changes hands before its holder said so"
    shares.wants("b", 2, 2, {"d": Demand(held["b"].say(3, ()), {})})
    told = shares.portions(1.2)
    held["a"].take(told["a"][1]["d"], 1, ())
    assert held["a"].ids == tuple(range(8))


def test_a_slot_that_works_changes_hands_when_it_is_done():
    holding = Holding()
    holding.take(Portion((0, 1, 2), 3), 0, ())
    holding.take(Portion((0, 1, 2), 1), 0, (1, 2))
    assert (holding.ids, holding.say(1, (1, 2))) == ((1,), (1, 2))
    assert holding.say(2, (2,)) == (2,), "what is done first is let go of"


def test_nothing_is_given_out_before_those_that_lived_before_have_spoken():
    shares, _ = _two(before=(1, 2, 3))
    assert not shares.portions(1.0)
    shares.wants("c", 3, 0, {"d": Demand((0, 1), {})})
    told = shares.portions(1.0)
    assert {0, 1} <= set(told["c"][1]["d"].ids)
    assert not {0, 1} & {slot for one in ("a", "b") for slot in told[one][1]["d"].ids}


def test_what_a_dead_gateway_held_is_given_to_others_at_once():
    shares, _ = _two()
    shares.portions(1.0)
    shares.ended("a")
    assert len(shares.portions(1.1)["b"][1]["d"].ids) == 8


def test_more_connections_and_gateways_buy_no_share():
    """A tenant at both gateways with many requests, and one at one of them with few."""
    shares, _ = _two()
    shares.wants("a", 1, 0, {"d": Demand((), {"many": (100, 0, 0), "few": (8, 0, 0)})})
    shares.wants("b", 2, 0, {"d": Demand((), {"many": (100, 0, 0)})})
    told = {name: pools["d"] for name, (_, pools) in shares.portions(1.0).items()}
    assert (told["a"].keep, told["b"].keep) == (6, 2), "four for each tenant"
    assert (told["a"].parts, told["b"].parts["many"]) == ({"many": 0.5}, 0.5)


def _two(before=()):
    """Two gateways with the same demand for eight slots."""
    made = Shares()
    made._pools = {"d": _Pool(slots=8, common=8)}
    made.lived(before)
    demand = {"d": Demand((), {"t": (20, 0, 0)})}
    made.wants("a", 1, 0, demand)
    made.wants("b", 2, 0, demand)
    return made, {"a": Holding(), "b": Holding()}

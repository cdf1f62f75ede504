"""Every way out is on the books: at once when it is first used, then as a count."""

from dataclasses import dataclass, field

import pytest

from inland.ledger import canonical
from inland.plant.outbound import COUNTED, EGRESS_USE, LABELS, PERIOD_S, Outbound, Way
from tests.unit.plant.parts import Plant

BY = ("api.example:443", "upstream", "egress.public")
NO = ("meta.example:80", "upstream", "")


@dataclass
class Life:
    """A gateway's, that counts."""

    writer: str = "w"
    gateway: str = "gateway-0"
    found: dict | None = None
    metrics: dict | None = field(default_factory=dict)

    def counts(self, **counted) -> None:
        self.metrics = metrics(counted)


def metrics(counted: dict[tuple[str, str, str], int]) -> dict:
    series = [[list(labels), count] for labels, count in counted.items()]
    return {"counters": {COUNTED: {"labels": list(LABELS), "series": series}}}


@pytest.fixture
def life() -> Life:
    return Life()


def booked(plant: Plant) -> list[tuple[str, str, int]]:
    with plant.store.read() as transaction:
        log = transaction.books.current_log()
        assert log is not None
        records = transaction.books.log_records(log.number, 0, 1 << 20)
    facts = [canonical.decode(one.record) for one in records]
    uses = [one for one in facts if one.get("what") == EGRESS_USE]
    return [(one["who"], one["subject"], one["details"]["count"]) for one in uses]


def test_a_first_use_is_booked_at_once_and_the_rest_of_the_hour_as_one(
    plant: Plant, life: Life
) -> None:
    own: dict = {}
    out = Outbound(plant.changes, lambda: [life], lambda: own)
    life.metrics = metrics({BY: 1})
    own["vault.example:8200", "keys", "endpoint"] = 2
    out.step()
    first = [("control", "vault.example:8200", 2), ("gateway-0", "api.example:443", 1)]
    assert sorted(booked(plant)) == first
    for count in (5, 5, 9):
        life.metrics = metrics({BY: count})
        out.step()
    assert sorted(booked(plant)) == first, "the rest is folded"
    way = Way("gateway-0", *BY)
    assert [one.count for one in out.uses() if one.way == way] == [9], "and told all the same"
    plant.clock.now_s += PERIOD_S
    out.step()
    assert sorted(booked(plant)) == [*first, ("gateway-0", "api.example:443", 8)]
    life.metrics = metrics({BY: 10})
    out.step()
    assert booked(plant)[-1] == ("gateway-0", "api.example:443", 1), "a new hour's first"


def test_a_refusal_is_a_use_without_rules(plant: Plant, life: Life) -> None:
    out = Outbound(plant.changes, lambda: [life], dict)
    life.metrics = metrics({NO: 3})
    out.step()
    (one,) = out.uses()
    assert (one.way.endpoint, one.way.rules, one.count) == ("meta.example:80", "", 3)


def test_what_an_earlier_control_booked_is_not_booked_again(plant: Plant, life: Life) -> None:
    life.found = life.metrics = metrics({BY: 7})
    out = Outbound(plant.changes, lambda: [life], dict)
    out.step()
    assert booked(plant) == []
    life.metrics = metrics({BY: 8})
    out.step()
    assert booked(plant) == [("gateway-0", "api.example:443", 1)]


def test_an_end_books_what_is_folded_and_the_next_control_tells_of_it(
    plant: Plant, life: Life
) -> None:
    out = Outbound(plant.changes, lambda: [life], dict)
    for count in (1, 4):
        life.metrics = metrics({BY: count})
        out.step()
    out.close()
    assert [count for _, _, count in booked(plant)] == [1, 3]
    assert [one.count for one in Outbound(plant.changes, list, dict).uses()] == [4]

"""Guards are set, changed and removed; what cannot be looked for is refused whole."""

from dataclasses import replace

import pytest

from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.guards import Act, Guard, Question, Side
from inland.plant.declared import Declared
from inland.plant.guards import Guards
from inland.plant.snapshots import build_snapshot
from tests.unit.plant.parts import MODEL, SERVED, SITE

CARDS = Guard("cards", Act.REDACT, ("card",), (r"sk-[a-z]{8,}",), (Side.INPUT,), tenant="acme")


@pytest.fixture
def guards(plant):
    plant.tenants.add("op", "acme")
    return Guards(plant.changes, 2)


def snapshot(plant):
    with plant.store.read() as transaction:
        return build_snapshot(transaction.state, "factory")


def test_a_guard_is_in_the_snapshot_as_it_was_set(plant, guards):
    assert guards.set("op", CARDS) == CARDS
    assert snapshot(plant).guards == {"cards": CARDS}
    anew = replace(CARDS, act=Act.BLOCK, on=(Side.OUTPUT,), tenant=None)
    guards.set("op", anew)
    assert guards.all() == [anew]
    guards.remove("op", "cards")
    assert snapshot(plant).guards == {}
    with pytest.raises(NotFound):
        guards.remove("op", "cards")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"name": "Not A Name"}, BadInput),
        ({"finds": (), "patterns": ()}, BadInput),
        ({"finds": ("nobody",)}, BadInput),
        ({"patterns": ("^x",)}, BadInput),
        ({"patterns": tuple(f"x{n}" for n in range(40))}, BadInput),
        ({"patterns": (r"(?:\w{500}){500}",)}, BadInput),
        ({"on": ()}, BadInput),
        ({"tenant": "nobody"}, NotFound),
        ({"deployment": "nothing"}, NotFound),
        ({"act": Act.NOTE, "asks": Question("nothing", "a secret")}, NotFound),
        ({"asks": Question("smollm2", "a secret")}, BadInput),
        ({"act": Act.NOTE, "asks": Question("x", "a secret"), "deployment": "x"}, BadInput),
        ({"act": Act.NOTE, "asks": Question("x", "a\nb")}, BadInput),
        ({"act": Act.NOTE, "asks": Question("x", "a" * 201)}, BadInput),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(plant, guards, changed, error):
    guards.set("op", CARDS)
    before = snapshot(plant)
    with pytest.raises(error):
        guards.set("op", replace(CARDS, **changed))
    assert snapshot(plant) == before


def test_a_classifier_may_be_all_that_a_guard_has(plant, guards):
    plant.begin(Declared(SITE, models=(MODEL,), deployments=(SERVED,)))
    asks = Question("smollm2", "medical advice", fails_open=True)
    guard = Guard("advice", Act.BLOCK, asks=asks)
    assert guards.set("op", guard) == guard
    found = snapshot(plant).guards["advice"]
    assert found == guard
    assert found.asks_about("other")
    assert not found.asks_about("smollm2"), "its classifier is not asked about itself"
    plant.begin(Declared(SITE))
    assert guards.waiting() == {"advice": "it waits for deployment 'smollm2'"}


def test_there_are_no_more_than_the_limit(guards):
    for name in ("a", "b"):
        guards.set("op", replace(CARDS, name=name))
    with pytest.raises(Conflict, match=r"limits\.guards"):
        guards.set("op", replace(CARDS, name="c"))
    guards.set("op", replace(CARDS, name="b", act=Act.NOTE))


def test_what_the_file_declares_is_changed_there_alone(plant, guards):
    guards.set("op", replace(CARDS, name="mine"))
    declared = Declared(SITE, guards=(CARDS,))
    plant.begin(declared)
    assert [one.name for one in guards.all()] == ["cards", "mine"]
    for change in (lambda: guards.set("op", CARDS), lambda: guards.remove("op", "cards")):
        with pytest.raises(Conflict, match=r"factory\.toml"):
            change()
    version = snapshot(plant).version
    plant.begin(declared)
    assert snapshot(plant).version == version, "nothing changed"
    plant.begin(Declared(SITE))
    assert [one.name for one in guards.all()] == ["mine"]


@pytest.mark.parametrize(
    ("changed", "noun"), [({"tenant": "later"}, "tenant"), ({"deployment": "later"}, "deployment")]
)
def test_a_declared_guard_waits_for_what_it_names_and_holds_from_its_first_moment(
    plant, guards, changed, noun
):
    guard = replace(CARDS, **{"tenant": None, **changed})
    declared = Declared(SITE, guards=(guard,))
    plant.begin(declared)
    assert guards.waiting() == {"cards": f"it waits for {noun} 'later'"}
    if noun == "tenant":
        plant.tenants.add("op", "later")
    else:
        plant.begin(
            replace(declared, models=(MODEL,), deployments=(replace(SERVED, name="later"),))
        )
    found = snapshot(plant)
    assert found.guards["cards"].applies("later", "later")
    assert guards.waiting() == {}


def test_a_start_is_not_refused_for_a_guard_whose_deployment_was_removed(plant, guards):
    declared = Declared(SITE, models=(MODEL,), guards=(replace(CARDS, deployment="smollm2"),))
    plant.begin(replace(declared, deployments=(SERVED,)))
    assert guards.waiting() == {}
    plant.begin(declared)
    assert list(guards.waiting()) == ["cards"]
    assert snapshot(plant).guards["cards"].declared

"""Labels of one owner are a lattice, and what is made of assets allows what all its parents do."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.domain.assets import Asset, AssetKind, AssetState
from inland.domain.errors import BadInput, NotFound
from inland.domain.labels import (
    Classification,
    Label,
    Purpose,
    canonical,
    is_tighter,
    loosened,
    meet,
    own_label,
    passed_on,
)
from inland.domain.lineage import Clash, derived
from inland.domain.places import GROUPS, WORLD, canonical_codes, common_codes, covering, includes

#: Enough to tell groups from their members, and unknown from the world.
COUNTRIES = ("BE", "FR", "NO", "LI", "IS", "US", "ZZ")
ASKED = (*COUNTRIES, *GROUPS["EU"], "JP")
PURPOSES = tuple(Purpose)

codes = st.lists(
    st.sampled_from([*COUNTRIES, "EU", "EEA", WORLD]), max_size=5, unique=True
).map(tuple) | st.just(tuple(GROUPS["EU"]))  # fmt: skip
purposes = st.lists(st.sampled_from(PURPOSES), unique=True).map(tuple)
labels = st.builds(
    Label,
    st.just("acme"),
    codes,
    st.sampled_from(list(Classification)),
    purposes,
    purposes,
    st.none() | st.integers(0, 99),
    st.none() | codes,
)
TOP = Label("acme", (WORLD,), Classification.PUBLIC, PURPOSES, PURPOSES)
BOTTOM = Label("acme", (), Classification.SECRET, (), (), 0)


def allows(label):
    """All that a label allows, told one by one and without the algebra."""
    for field, given_ in (("process", label.jurisdictions), ("store", label.stored_in)):
        yield from ((field, c) for c in ASKED if covering(c) & set(given_))
    yield from (("use", purpose) for purpose in label.purposes)
    yield from (("use of derived", purpose) for purpose in label.derived_purposes)
    rank = list(Classification).index(label.classification)
    yield from (("treat as", c) for n, c in enumerate(Classification) if n >= rank)
    days = 100 if label.retention_days is None else label.retention_days
    yield from (("keep", day) for day in range(days + 1))


# --------------------------------------------------------------------------- places


def test_countries_are_compared_and_not_codes():
    assert common_codes(("EU",), ("BE", "US")) == ("BE",)
    assert common_codes((WORLD,), ("EU",)) == ("EU",)
    assert common_codes(("EEA",), ("EU", "NO")) == ("EU", "NO")
    assert common_codes((WORLD,), (WORLD, "BE")) == (WORLD,)
    assert common_codes((WORLD,), ("ZZ",)) == ("ZZ",)
    assert common_codes(("EU",), ("US",)) == ()
    assert canonical_codes(("IS", "EU", "LI", "NO")) == ("EEA",)
    assert canonical_codes(tuple(GROUPS["EU"])) == ("EU",)


@given(codes, codes)
def test_what_is_common_is_covered_by_both_and_nothing_else_is(one, other):
    both = set(common_codes(one, other))
    for country in ASKED:
        wanted = bool(covering(country) & set(one)) and bool(covering(country) & set(other))
        assert bool(covering(country) & both) == wanted


@given(codes, codes)
def test_what_includes_another_covers_all_of_it(wide, narrow):
    assert includes(wide, narrow) == (common_codes(wide, narrow) == canonical_codes(narrow))


# --------------------------------------------------------------------------- the lattice


@given(labels)
def test_it_is_idempotent_and_has_a_top_and_a_bottom(label):
    assert meet(label, label) == canonical(label) == canonical(canonical(label))
    assert meet(label, TOP) == canonical(label)
    assert meet(label, BOTTOM) == canonical(BOTTOM)
    assert is_tighter(BOTTOM, label)
    assert is_tighter(label, TOP)


@given(labels, labels)
def test_it_is_commutative(one, other):
    assert meet(one, other) == meet(other, one)


@given(labels, labels, labels)
def test_it_is_associative(one, other, third):
    assert meet(meet(one, other), third) == meet(one, meet(other, third))


@given(labels, labels)
def test_it_allows_what_both_allow_and_nothing_else(one, other):
    assert set(allows(meet(one, other))) == set(allows(one)) & set(allows(other))


@given(labels, labels, labels)
def test_it_is_monotone(one, other, third):
    tighter = meet(one, other)
    assert is_tighter(tighter, one)
    assert is_tighter(meet(tighter, third), meet(one, third))


@given(labels, labels)
def test_canonical_labels_are_equal_where_they_allow_the_same(one, other):
    assert set(allows(canonical(one))) == set(allows(one))
    assert (canonical(one) == canonical(other)) == (set(allows(one)) == set(allows(other)))


# --------------------------------------------------------------------------- changes


@given(labels, labels)
def test_a_change_tightens_where_it_allows_nothing_new_and_says_what_else_it_does(new, old):
    more = set(allows(new)) - set(allows(old))
    assert is_tighter(new, old) == (not more)
    fields = {one.field for one in loosened(new, old)}
    kinds = {
        "process": "jurisdictions",
        "store": "storage",
        "use": "purposes",
        "use of derived": "derived_purposes",
        "treat as": "classification",
        "keep": "retention_days",
    }
    assert fields == {kinds[kind] for kind, _ in more}


def test_a_loosening_says_from_what_to_what():
    old = Label("acme", ("DE",), Classification.SECRET, retention_days=30)
    new = replace(old, jurisdictions=("US", "DE"), retention_days=None)
    told = {one.field: (one.was, one.now) for one in loosened(new, old)}
    assert told == {
        "jurisdictions": ("DE", "DE US"),
        "storage": ("DE", "DE US"),
        "retention_days": ("30", "for ever"),
    }
    assert [one.field for one in loosened(replace(old, owner="other"), old)] == ["owner"]
    held = replace(new, storage=("DE",), retention_days=30)
    assert [one.field for one in loosened(held, old)] == ["jurisdictions"]


def test_an_asset_is_for_every_purpose_inside_its_tenants_borders_unless_told_otherwise():
    tenant = Label("acme", ("DE",), Classification.CONFIDENTIAL, storage=("EU",), retention_days=9)
    made = own_label(tenant)
    assert (made.purposes, made.derived_purposes) == (PURPOSES, PURPOSES)
    assert replace(made, purposes=tenant.purposes, derived_purposes=()) == tenant


# --------------------------------------------------------------------------- what is made of it


def asset(name, label=TOP, shared_with=(), kind=AssetKind.DATASET):
    return Asset(
        name, label.owner, kind, "n", 1, AssetState.LIVE, label, shared_with, 1, "", (), "", 0
    )  # fmt: skip


NEEDED = {
    "jurisdictions": lambda one: one.jurisdictions,
    "storage": lambda one: one.stored_in,
    "derived_purposes": lambda one: one.purposes,
}


def _derived_or_clash(parents):
    try:
        return derived("acme", parents)
    except Clash as clash:
        return clash


@given(st.lists(labels, min_size=1, max_size=4))
def test_what_is_made_allows_nothing_that_a_parents_derived_purposes_forbid(given_labels):
    parents = [asset(f"p{n}", label) for n, label in enumerate(given_labels)]
    made = _derived_or_clash(parents)
    if isinstance(made, Clash):
        assert made.parents
        few = [passed_on(one.label) for one in parents if one.id in made.parents]
        together = reduce(meet, few)
        assert not NEEDED[made.field](together), "those that it names do clash"
        return
    for parent in parents:
        assert set(made.purposes) <= set(parent.label.derived_purposes)
        assert set(allows(made)) <= set(allows(passed_on(parent.label)))
    assert made.derived_purposes == made.purposes
    assert made == derived("acme", parents[::-1]) == derived("acme", [*parents, asset("x", made)])


def test_a_clash_names_the_two_parents_that_clash():
    parents = [
        asset("world"),
        asset("eu", replace(TOP, jurisdictions=("EU",))),
        asset("be", replace(TOP, jurisdictions=("BE",))),
        asset("us", replace(TOP, jurisdictions=("US",))),
    ]
    with pytest.raises(Clash) as clash:
        derived("acme", parents)
    assert (clash.value.field, clash.value.parents) == ("jurisdictions", ("eu", "us"))
    assert str(clash.value) == "eu, us: there is no place where eu and us may be processed"


def test_a_clash_of_three_names_all_three_and_of_one_names_it():
    pairs = (("serve", "train"), ("train", "export"), ("export", "serve"))
    three = [
        asset(name, replace(TOP, derived_purposes=tuple(map(Purpose, pair))))
        for name, pair in zip("abc", pairs, strict=True)
    ]
    with pytest.raises(Clash) as clash:
        derived("acme", [asset("other"), *three])
    assert (clash.value.field, clash.value.parents) == ("derived_purposes", ("a", "b", "c"))
    shut = asset("shut", replace(TOP, derived_purposes=()))
    with pytest.raises(Clash) as clash:
        derived("acme", [*three[:2], shut])
    assert clash.value.parents == ("shut",)


def test_what_is_made_is_its_makers_of_parents_it_owns_or_that_are_shared_with_it():
    shared = asset("s", replace(TOP, owner="other"), ("acme",))
    assert derived("acme", [asset("own"), shared]).owner == "acme"
    assert derived("acme", [asset("public", replace(TOP, owner="other"), ("*",))]).owner == "acme"
    with pytest.raises(NotFound, match="'s'"):
        derived("third", [shared])


def test_an_evaluation_suite_is_no_parent_and_nothing_has_none():
    with pytest.raises(BadInput, match="judges"):
        derived("acme", [asset("own"), asset("suite", kind=AssetKind.SUITE)])
    with pytest.raises(BadInput, match="no parents"):
        derived("acme", [])

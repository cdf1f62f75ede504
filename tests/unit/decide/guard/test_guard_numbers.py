"""All numbers asked at once are those that are found place by place, in one piece or in many."""

from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.guard.numbers import Numbers
from inland.decide.guard.payments import IBAN_LENGTHS
from inland.decide.guard.recognisers import RECOGNISERS
from inland.decide.guard.signs import PIECE
from tests.unit.decide.guard.almost import ALMOST
from tests.unit.decide.guard.placewise import numbers_in
from tests.unit.decide.guard.test_guard_published import EXAMPLES

_SIGNS = "0123456789ABXabx"
_BETWEEN = ("", " ", "-", ".", "_", "  ", "- ", "\n", ":", "é")
_NEAR = sorted({one for some in ALMOST.values() for one in some} | {one.number for one in EXAMPLES})
_GROUPED = st.lists(st.text("0123456789", min_size=1, max_size=6), min_size=1, max_size=8)


@st.composite
def _changed(draw: st.DrawFn) -> str:
    """A number that is right or almost, with something put in, left out or in another's place."""
    number = draw(st.sampled_from(_NEAR))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(number)))
        new = draw(st.sampled_from([*_SIGNS, *_BETWEEN]))
        number = number[:at] + new + number[at + draw(st.integers(0, 1)) :]
    return number


_HEADED = st.tuples(st.sampled_from(sorted(IBAN_LENGTHS)), st.text(_SIGNS[:12], max_size=32))
_PARTS = st.one_of(
    _changed(),
    st.sampled_from(_NEAR),
    st.tuples(st.sampled_from((" ", "-", ".")), _GROUPED).map(lambda both: both[0].join(both[1])),
    _HEADED.map("".join),
    st.sampled_from(("0000", "1111", "4222", "ES21", "x", "the year 2026", "ａ港")),
)
TEXTS = st.lists(st.tuples(_PARTS, st.sampled_from(_BETWEEN)), max_size=8).map(
    lambda some: "".join(one for both in some for one in both)
)


@cache
def every(piece_characters: int = PIECE) -> Numbers:
    asked = [(one, (rule,)) for rule, one in enumerate(RECOGNISERS.values())]
    return Numbers(asked, piece_characters)


@given(TEXTS)
def test_all_at_once_are_those_of_each_place_for_itself(text: str):
    assert [*every().found(text, 0, len(text))] == numbers_in(text)


@given(TEXTS, st.sampled_from((1, 7, 16, 64)))
def test_pieces_of_a_long_text_come_to_the_same(text: str, characters: int):
    assert [*every(characters).found(text, 0, len(text))] == numbers_in(text)


@given(TEXTS, st.integers(0, 300), st.integers(0, 300))
def test_what_begins_in_a_part_of_a_text_is_found_with_all_that_stands_around(
    text: str, since: int, before: int
):
    before = min(before, len(text))
    assert [*every().found(text, since, before)] == numbers_in(text, since, before)


@pytest.mark.parametrize("kind", ALMOST)
def test_a_long_text_of_almost_numbers_holds_what_its_places_hold(kind: str):
    text = " ".join(ALMOST[kind] * 40)[:1000]
    assert [*every().found(text, 0, len(text))] == numbers_in(text)


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "A123456789", "11010519491231002X"])
def test_what_stands_on_either_side_ties_a_number_or_does_not(number: str):
    edges = ("", "x", "7", "-", "-x", "-7", ".", ".x", ".7", " 7", "- 7", "_", "é", "-.7")
    for before, after in product(edges, edges):
        text = f"{before[::-1]}{number}{after}"
        assert [*every().found(text, 0, len(text))] == numbers_in(text), text


def test_a_number_is_told_of_once_for_each_rule_that_asks():
    card = RECOGNISERS["card"]
    twice = Numbers([(card, (3, 5))])
    text = "4111 1111 1111 1111 or 4222222222222"
    assert [*twice.found(text, 0, len(text))] == [(0, 3, 19), (0, 5, 19), (23, 3, 36), (23, 5, 36)]

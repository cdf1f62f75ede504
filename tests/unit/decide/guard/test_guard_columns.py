"""What is done to hundreds of numbers at once comes to what is done to them one by one."""

from itertools import accumulate

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.guard.columns import Columns, outermost
from inland.decide.guard.spans import Few, Span

MASKS = ("[one]", "[another]", "")
#: How far behind the one before each begins, how long it is, and by which rule.
_APART = st.tuples(st.integers(9, 12), st.integers(1, 9), st.integers(0, len(MASKS) - 1))
_ANYHOW = st.tuples(st.integers(0, 6), st.integers(1, 9), st.integers(0, len(MASKS) - 1))


def _spans(drawn: list[tuple[int, int, int]]) -> list[Span]:
    """In order: of those that begin together the longest first."""
    starts = accumulate(ahead for ahead, _, _ in drawn)
    some = [(at, -(at + size), of) for at, (_, size, of) in zip(starts, drawn, strict=True)]
    return [(start, of, -end) for start, end, of in sorted(set(some))]


def _columns(spans: list[Span]) -> Columns:
    return Columns(*np.array(spans, np.int64).reshape(-1, 3).T)


@given(st.lists(_APART, min_size=40, max_size=60), st.sampled_from(("ab ", "0", "é")))
def test_hundreds_masked_at_once_are_masked_as_one_by_one(
    drawn: list[tuple[int, int, int]], text: str
):
    _are_masked_alike(_spans(drawn), text, 5, 900)


@given(st.lists(_ANYHOW, max_size=60), st.integers(0, 20), st.integers(0, 200))
def test_those_that_overlap_or_end_behind_what_is_held_are_too(
    drawn: list[tuple[int, int, int]], since: int, held: int
):
    _are_masked_alike(_spans(drawn), "ab ", since, held)


def _are_masked_alike(spans: list[Span], text: str, since: int, held: int) -> None:
    few, columns = Few(spans), _columns(spans)
    text *= 900
    assert columns.masked(text, since, held, MASKS) == few.masked(text, since, held, MASKS)
    assert columns.counts() == few.counts()
    assert [*columns] == spans


@given(st.lists(_ANYHOW, min_size=1, max_size=40))
def test_of_numbers_inside_others_the_outermost_are_left(drawn: list[tuple[int, int, int]]):
    spans = _spans(drawn)
    left: list[Span] = []
    for one in spans:
        if not left or one[0] >= left[-1][2] or (one[0], one[2]) == (left[-1][0], left[-1][2]):
            left.append(one)
    columns = _columns(spans)
    is_outer = outermost(columns.starts, columns.ends)
    assert [one for one, outer in zip(spans, is_outer, strict=True) if outer] == left

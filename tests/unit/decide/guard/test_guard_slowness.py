"""No text is slow: what looking at it takes is counted, not timed, and grows with its length alone.

Counted are lines of the guard's code that run, and numbers that are checked. Hypothesis looks for
the text with the most of either; `make soak` has it look longer.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from inland.decide.guard.numbers import Numbers
from inland.decide.guard.recognisers import RECOGNISERS, Check
from inland.decide.guard.rules import Rules
from inland.decide.guard.scanning import Scanner
from inland.decide.guard.signs import Mask, Runs
from inland.domain.guards import Act, Guard
from tests.unit.decide.guard.almost import ALMOST

#: What one text may take, in lines: some for any text, some for each number that is found.
LINES, LINES_A_NUMBER = 3000, 60
#: For each character more, of those that numbers may begin at.
LINES_A_CHARACTER = 0.01
#: And in numbers checked, for each character.
CHECKS_A_CHARACTER = 1.0
_RULES = Rules((Guard("all", Act.REDACT, tuple(RECOGNISERS)),))
_PARTS = (*"0123456789", *(one for some in ALMOST.values() for one in some), " ", "-", ". ", "A")
_PARTS = (*_PARTS, "\u200b", "\u200b" * 65, "ﬁ", "４", "é", "港", "㏂")
TEXTS = st.lists(st.sampled_from(_PARTS), min_size=1, max_size=6).map(
    lambda some: ("".join(some) * 200)[:800]
)


def lines_of(look: Callable[[], Any]) -> int:
    """Lines of the guard's own code that run."""
    count = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        if "/decide/guard/" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        look()
    finally:
        sys.settrace(before)
    return count


@given(TEXTS)
def test_a_text_takes_few_lines_whatever_is_almost_in_it(text: str):
    scanner = Scanner(_RULES)
    lines = lines_of(lambda: scanner.whole(text))
    found = scanner.counts.total()
    target(float(lines - LINES_A_NUMBER * found), label="lines")
    assert lines <= LINES + LINES_A_NUMBER * found


@given(TEXTS)
def test_few_numbers_are_checked_whatever_is_almost_in_a_text(text: str):
    checked = 0

    def counting(check: Check) -> Check:
        def count(runs: Runs) -> Mask:
            nonlocal checked
            checked += len(runs.places)
            return check(runs)

        return count

    some = [
        replace(one, checks=(counting(one.checks[0]), *one.checks[1:]))
        for one in RECOGNISERS.values()
    ]
    Numbers([(one, (0,)) for one in some]).found(text, 0, len(text))
    target(float(checked), label="checked")
    assert checked <= CHECKS_A_CHARACTER * len(text)


@pytest.mark.parametrize("kind", ALMOST)
def test_twice_the_text_takes_no_more_lines(kind: str):
    """But for those that are long enough to be looked at in pieces."""
    row = " ".join(ALMOST[kind]) + " "
    once, twice = (_lines_and_found((row * 800)[:size]) for size in (4000, 8000))
    more = LINES_A_NUMBER * (twice[1] - once[1])
    assert twice[0] - once[0] <= LINES_A_CHARACTER * 4000 + more


def _lines_and_found(text: str) -> tuple[int, int]:
    scanner = Scanner(_RULES)
    return lines_of(lambda: scanner.whole(text)), scanner.counts.total()


@pytest.mark.parametrize("kind", ALMOST)
def test_what_is_almost_a_number_is_none(kind: str):
    """To its own recogniser: parts of it may be another's."""
    name = kind.split(maxsplit=1)[0]
    finds = (name,) if name in RECOGNISERS else ("card", "iban", "emirates-id")
    text = " ".join(ALMOST[kind] * 3)
    assert Scanner(Rules((Guard("one", Act.REDACT, finds),))).whole(text) == text

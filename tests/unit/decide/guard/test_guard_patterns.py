"""Patterns mean what RE2 means by them, and every beginning of a match is known as one."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.guard.automata import Automaton
from inland.decide.guard.patterns import OPEN, pattern
from inland.domain.errors import BadInput

_SIGNS = st.sampled_from(["a", "b", "1", "[ab]", "[^a]", r"\d", r"\w", "."])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counts = st.sampled_from(["?", "{2}", "{0,2}", "{1,3}"])
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda ways: f"(?:{'|'.join(ways)})"),
        st.tuples(inner, counts).map(lambda both: f"(?:{both[0]}){both[1]}"),
    )


PATTERNS = st.recursive(_SIGNS, _grown, max_leaves=6)
TEXTS = ["".join(one) for size in range(5) for one in product("ab1", repeat=size)]


@given(PATTERNS)
def test_it_means_what_re2_means(text: str):
    try:
        read = pattern(text)
    except BadInput:
        assert re.fullmatch(text, "") is not None  # nothing else is wrong with these
        return
    ours = Automaton(rf"\A(?:{read.written})\z")
    said = re.compile(text)
    for one in TEXTS:
        assert (ours.first(one, 0) == 0) == (said.fullmatch(one) is not None), one
        if said.fullmatch(one):
            assert read.least <= len(one) <= read.most


@given(PATTERNS)
def test_a_beginning_is_known_exactly_where_something_can_follow(text: str):
    try:
        read = pattern(text)
    except BadInput:
        return
    begun = Automaton(rf"\A(?:{read.begun})\z")
    said = re.compile(text)
    whole = [one for one in TEXTS if said.fullmatch(one)]
    for one in TEXTS:
        known = begun.first(one, 0) == 0
        if any(other.startswith(one) for other in whole):
            assert known, one
        elif known:  # then it goes on longer than what was tried
            assert read.most > len(TEXTS[-1])


@given(PATTERNS, st.sampled_from(TEXTS), st.sampled_from(TEXTS))
def test_with_edges_of_words_no_beginning_is_missed(text: str, one: str, other: str):
    try:
        read = pattern(rf"\b{text}\b")
    except BadInput:
        return
    begun, ours = Automaton(rf"(?:{read.begun})\z"), Automaton(read.written)
    came = f"{one} {other}"
    for start, end in ours.spans(came, 0):
        for cut in range(start + 1, end + 1):
            first = begun.first(came[:cut], 0)
            assert first is not None
            assert first <= start


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1 to 512"),
        ("a" * 513, "1 to 512"),
        ("a*", "matches the empty text"),
        ("^a", "whole text"),
        ("a$", "whole text"),
        ("(?=a)b", "only (?:...)"),
        ("(?P<x>a)", "only (?:...)"),
        (r"(a)\1", "not read"),
        ("a{2,1}", "rises"),
        ("a{1001}", "at most 1000"),
        ("a{x}", "a brace itself"),
        ("a+?", "repeat of a repeat"),
        ("*a", "nothing to repeat"),
        ("(a", "a ) is missing"),
        ("a)", "unmatched"),
        ("[a", "a ] is missing"),
        ("[b-a]", "later one"),
        ("[[:alpha:]]", "classes in a class"),
        ("((a+)+)+", "three deep"),
        ("(?:[a-z]{100}){100}", "10000 characters"),
        ("a\\", "not read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, why: str):
    with pytest.raises(BadInput) as refused:
        pattern(text)
    assert why in refused.value.why


def test_an_open_end_reaches_as_far_as_is_said():
    read = pattern("sk-[a-z]{20,}")
    assert (read.least, read.most) == (23, 23 + OPEN)
    assert pattern(r"[\w.]+@\w+(?:\.\w+)+").most < 4096
    assert Automaton(pattern(r"[\w.]+@\w+(?:\.\w+)+").written).first("to a.b@c.d.", 0) == 3


def test_what_blows_up_elsewhere_takes_linear_time_here():
    evil = Automaton(pattern("(a+)+b").written)
    assert evil.first("a" * 200_000, 0) is None


def test_case_and_width_do_not_hide_what_is_named():
    assert Automaton(pattern("(?i)secret").written).first("a SeCrEt", 0) == 2
    assert pattern("ｋｅｙ").written == pattern("key").written

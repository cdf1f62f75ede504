"""What texts are folded to, and how little is kept for it."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.guard import folding
from inland.decide.guard.folding import HIDDEN, UNSEEN_IN_A_ROW, Folding, folded


def test_one_character_becomes_four_at_most():
    assert folded("\u337f") == "株式会社"
    assert folded("\ufdfa" * 3) == "\ufdfa" * 3, "eighteen letters of one"


def test_little_is_remembered_whatever_was_seen():
    for point in range(0x80, sys.maxunicode, 7):
        folded(chr(point))
    assert len(folding._TABLE) <= 10_000
    assert folded("４ﬁ\u200b") == "4fi"


def test_a_character_in_two_escapes_is_one():
    for text in ('"\\ud835\\udfd1\\uD835\\uDFCF"', '"\\ud835\\ud835\\udfcf"', '"\\ud835x"'):
        whole, each = Folding(is_json=True), Folding(is_json=True)
        whole.add(text)
        for sign in text:
            each.add(sign)
        assert whole.text == each.text
    assert Folding(is_json=True).add('"\\ud835x"')
    one = Folding(is_json=True)
    one.add('"\\ud835\\udfd1\\uD835\\uDFCF"')
    assert one.text == '"31"'
    assert (one.start(1), one.end(2), one.start(2)) == (1, 13, 13)


def test_a_half_of_a_character_waits_for_the_other_and_for_nothing_else():
    for rest in ("", "\\", "\\u", "\\ud", "\\udf", "\\udfc"):
        one = Folding(is_json=True)
        assert not one.add(f"\\ud835{rest}")
    for rest, text in (
        ("\\ue", "\ufffd"),
        ("\\n", "\ufffd\n"),
        ("\\\\", "\ufffd\\"),
        ("x", "\ufffdx"),
    ):
        one = Folding(is_json=True)
        assert one.add(f"\\ud835{rest}")
        assert one.text == text


def test_invisible_characters_come_to_nothing_until_there_are_too_many_in_a_row():
    most = "\u200b" * UNSEEN_IN_A_ROW
    assert folded(f"4{most}1{most}1") == "411"
    one = Folding()
    for sign in f"4{most}":
        one.add(sign)
    one.let_go(1)
    assert one.add("\u200b1")
    assert one.text == f"{HIDDEN}1", "those let go are counted"
    assert folded(HIDDEN) == "\ufffd"


_SIGNS = (
    "a",
    "\u200b",
    "\u200b" * 30,
    "\u200b" * 70,
    "ﬁ",
    "４",
    "é",
    "港",
    "\ufdd0",
    "\ud800",
    "㏂",
)


@given(st.lists(st.lists(st.sampled_from(_SIGNS), max_size=6).map("".join), max_size=4))
def test_what_is_folded_at_once_is_what_is_folded_one_by_one(parts: list[str]):
    text, unseen = "", 0
    starts: list[int] = []
    ends: list[int] = []
    whole = "".join(parts)
    for at, sign in enumerate(whole):
        made = folding.folded(sign)
        unseen = 0 if made else unseen + 1
        if unseen > folding.UNSEEN_IN_A_ROW:
            made, unseen = folding.HIDDEN, 0
        text += made
        starts += [at] * len(made)
        ends += [at + 1] * len(made)
    some = folding.Folding()
    for part in parts:
        some.add(part)
    assert (some.came, some.read, some.text) == (whole, len(whole), text)
    assert [some.start(at) for at in range(len(text))] == starts
    assert [some.end(at + 1) for at in range(len(text))] == ends

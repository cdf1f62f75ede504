"""What texts are folded to, and how little is kept for it."""

import sys

from inland.decide.guard import folding
from inland.decide.guard.folding import fold


def test_one_character_becomes_four_at_most():
    assert fold("\u337f").text == "株式会社"
    assert fold("\ufdfa" * 3).text == "\ufdfa" * 3, "eighteen letters of one"


def test_little_is_remembered_whatever_was_seen():
    for point in range(0x80, sys.maxunicode, 7):
        fold(chr(point))
    assert len(folding._TABLE) <= 10_000
    assert fold("４ﬁ\u200b").text == "4fi"

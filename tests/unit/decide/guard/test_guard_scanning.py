"""However a text is cut, the same is found; nothing goes on that may yet be found, and no less."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.guard.folding import UNSEEN_IN_A_ROW, Folding
from inland.decide.guard.recognisers import RECOGNISERS
from inland.decide.guard.rules import Rules
from inland.decide.guard.scanning import Scanner
from inland.domain.guards import Act, Guard

CARD = "4111 1111 1111 1111"
_PATTERNS = (r"sk-[a-z0-9]{4,}", r"\bab{1,3}c\b", "ca[b-d]{2}", "(?i)geheim", r"id: \d{6}")
_SOME = (
    *("4111 1111 1111 1111", "4111111111111111", "990101-01-1234", "1234 5678 9018", "２５-", "1"),
    *("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "A123456789", "85.07.30-033.28"),
    *(
        "sk-abc1",
        "sk-",
        "k",
        "abbc",
        "abbbbc",
        "abc",
        "cabcd",
        "cab",
        "GeHeim",
        "geh",
        "id: ",
        " ",
        " ",
        "-",
    ),
    *(".", "_", "ü", "ﬁ", "\u200b", "４", "\n", "the year 2024 ", "x", "\\", '"', "\\u0034", "\\n"),
    *("\u200b" * 40, "\\u200b", "\\ud835\\udfd2", "\\ud835", '{"a": ', "]", ",", "-", "true"),
)
TEXTS = st.lists(st.sampled_from(_SOME), max_size=14).map("".join)
CUTS = st.lists(st.integers(0, 200), max_size=30)


def rules(act: Act, *finds: str, patterns: tuple[str, ...] = ()) -> Rules:
    return Rules((Guard("secrets", act, finds, patterns),))


ALL = {
    act: rules(act, *RECOGNISERS, patterns=_PATTERNS) for act in (Act.REDACT, Act.BLOCK, Act.NOTE)
}


def parts(text: str, cuts: list[int]) -> list[str]:
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return [text[one:two] for one, two in pairwise(at)]


def through(scanner: Scanner, some: list[str]) -> list[str]:
    """What went on with each, and at the end."""
    return [*(scanner.feed(one) for one in some), scanner.end()]


@given(TEXTS, CUTS, st.sampled_from((Act.REDACT, Act.BLOCK)), st.booleans())
def test_any_cut_comes_to_the_same(text: str, cuts: list[int], act: Act, is_json: bool):
    whole, cut, each = (Scanner(ALL[act], is_json=is_json) for _ in range(3))
    out = "".join(through(whole, [text]))
    assert "".join(through(cut, parts(text, cuts))) == out
    assert "".join(through(each, list(text))) == out
    assert whole.counts == cut.counts == each.counts
    assert whole.blocked == cut.blocked == each.blocked


@given(TEXTS)
def test_nothing_of_what_is_blocked_leaves_whatever_came_before(text: str):
    noted = Scanner(ALL[Act.BLOCK])
    out = "".join(through(noted, list(text)))
    assert text.startswith(out)
    clean = "".join(through(Scanner(ALL[Act.REDACT]), [text]))
    assert clean.startswith(out), "nothing was found in what left"
    assert (noted.blocked is None) == (out == text)


def test_a_number_is_caught_one_character_at_a_time_and_leaves_nothing():
    scanner = Scanner(rules(Act.BLOCK, "card"))
    out = [scanner.feed(one) for one in f"is {CARD} yes"]
    assert "".join(out) == "is "
    assert scanner.blocked is not None
    assert scanner.blocked.what == "card"


def test_what_can_never_become_a_match_leaves_at_once():
    scanner = Scanner(rules(Act.REDACT, *(set(RECOGNISERS) - {"iban", "taiwan-id"})))
    for token in ("The", " pump", " moves", " water", ",", " über", " 水", ".", "\n"):
        assert scanner.feed(token) == token
    assert scanner.feed(" 3") == " "
    assert scanner.feed(" x") == "3 x"


def test_a_number_that_turns_out_to_be_none_is_given_at_once():
    scanner = Scanner(rules(Act.BLOCK, "card"))
    assert scanner.feed("4111 1111 1111 111") == ""
    assert scanner.holds
    assert scanner.feed("2 ") == ""  # with three digits more it would be another
    assert scanner.feed("x") == "4111 1111 1111 1112 x"
    assert not scanner.holds


def test_what_stands_before_is_remembered():
    scanner = Scanner(rules(Act.REDACT, "card", patterns=(r"\bkey\b",)))
    assert "".join(
        through(scanner, ["x", "4111111111111111", " mon", "key", " 12-", "4111111111111111"])
    ) == ("x4111111111111111 monkey 12-4111111111111111")


def test_what_overlaps_is_replaced_as_one():
    scanner = Scanner(rules(Act.REDACT, patterns=("abcd", "cdef")))
    assert "".join(through(scanner, list("xabcdefx"))) == "x[redacted secrets]x"
    assert sum(scanner.counts.values()) == 2


@given(CUTS)
def test_a_json_text_stays_one(cuts: list[int]):
    said = {"a": f"x\n{CARD}", "b": 4111111111111111, "c": [4111111111111111, "ü"], "d": {}}
    for ascii_only in (True, False):
        text = json.dumps(said, ensure_ascii=ascii_only)
        scanner = Scanner(rules(Act.REDACT, "card"), is_json=True)
        out = "".join(through(scanner, parts(text, cuts)))
        mask = "[redacted card]"
        assert json.loads(out) == {"a": f"x\n{mask}", "b": None, "c": [None, "ü"], "d": {}}


def test_an_escape_hides_no_digit():
    hidden = '{"a":"\\u0034111 1111\\u00201111 1111"}'
    for some in ([hidden], list(hidden)):
        scanner = Scanner(rules(Act.REDACT, "card"), is_json=True)
        assert "".join(through(scanner, some)) == '{"a":"[redacted card]"}'


def test_two_escapes_of_one_character_hide_no_digit():
    hidden = '{"a":"\\ud835\\udfd2111 1111 1111 1111","b":[4111111111111111]}'
    for some in ([hidden], list(hidden)):
        scanner = Scanner(rules(Act.REDACT, "card"), is_json=True)
        out = "".join(through(scanner, some))
        assert json.loads(out) == {"a": "[redacted card]", "b": [None]}


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from((CARD, "4111111111111111", "abc", 'say "abbc"\\', "\U0001d7d2111", "x")),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.sampled_from("ab1"), some),
    max_leaves=12,
)
_CROSSING = (r"\d{2,3}", r"[1-5]", "ab", r"\W\d", '"', r"tr?u", r"[\[{]", r"\d,", "e", r"\d{16}")


@given(_VALUES, st.sampled_from(_CROSSING), CUTS, st.booleans())
def test_a_json_text_stays_one_or_ends(said: object, pattern: str, cuts: list[int], ascii_: bool):
    text = json.dumps(said, ensure_ascii=ascii_)
    scanner = Scanner(rules(Act.REDACT, "card", patterns=(pattern,)), is_json=True)
    out = "".join(through(scanner, parts(text, cuts)))
    if scanner.blocked is None:
        json.loads(out)
    else:
        assert text.startswith(out) or "redacted" in out or "null" in out


def test_a_part_of_a_number_has_nothing_that_may_take_its_place():
    some = rules(Act.REDACT, patterns=(r"\d{4}",))
    for text, out in (('{"n":12345}', '{"n":'), ('{"n":-1234}', '{"n":-'), ('["1234",1234]', None)):
        for cut in ([text], list(text)):
            scanner = Scanner(some, is_json=True)
            said = "".join(through(scanner, cut))
            assert said == (out or '["[redacted secrets]",null]')
            assert (scanner.blocked is None) == (out is None)


def test_a_note_goes_on_counting_where_nothing_could_take_the_place_of_what_it_found():
    scanner = Scanner(rules(Act.NOTE, patterns=(r"\d{4}", '1"')), is_json=True)
    through(scanner, ['{"n":12345678,"a1":"1234"}'])
    assert scanner.counts.total() == 4
    assert scanner.blocked is None


def test_a_stream_of_invisible_characters_is_held_so_far_and_then_found():
    for is_json, unseen in ((False, "\u200b"), (True, "\\u200b"), (False, "\u2800")):
        for act in (Act.BLOCK, Act.REDACT):
            scanner = Scanner(rules(act, "card"), is_json=is_json)
            out = scanner.feed('a "4111')
            out += "".join(scanner.feed(unseen) for _ in range(200))
            assert scanner.counts.total() == 1
            assert [rule.what for rule in scanner.counts] == ["unseen"]
            if act is Act.BLOCK:
                assert out == 'a "', "nothing of what might have been a number"
                assert scanner.blocked is not None
            else:
                rest = unseen * (200 - UNSEEN_IN_A_ROW - 1)
                assert out == f'a "[redacted unseen]{rest}'
                assert not scanner.holds


def test_invisible_characters_alone_wait_for_nothing_however_many():
    scanner = Scanner(rules(Act.BLOCK, "card"))
    art = "x \n" + "\u2800" * 500
    assert "".join(scanner.feed(one) for one in art) == art
    assert not scanner.counts


def test_each_character_is_looked_at_once_however_many_wait():
    scanner = Scanner(rules(Act.BLOCK, patterns=("a[^b]{900}b",)))
    looked_at = 0

    class Counting(Folding):
        def _add(self, part: str, out: list[str]) -> None:
            nonlocal looked_at
            looked_at += len(part)
            super()._add(part, out)

    scanner._folding = Counting()
    for _ in range(50):
        scanner.feed("a" + "\u200b" * 20)
    assert looked_at == 50 * 21


def test_a_number_that_begins_inside_what_a_pattern_found_is_found_however_it_is_cut():
    text = "id: 4111111111111111 end"
    some = Rules(
        (Guard("ids", Act.REDACT, patterns=(r"id: \d{6}",)), Guard("cards", Act.BLOCK, ("card",)))
    )
    for cut in ([text], list(text)):
        scanner = Scanner(some)
        assert "".join(through(scanner, cut)) == "[redacted ids]"
        assert scanner.blocked is not None
        assert scanner.blocked.what == "card"

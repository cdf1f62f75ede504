"""Recognisers agree with what was published, and with python-stdnum, which was not asked before."""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban
from stdnum import luhn as stdnum_luhn
from stdnum.be import ssn as stdnum_be
from stdnum.cn import ric as stdnum_cn
from stdnum.fr import nir as stdnum_fr
from stdnum.jp import in_ as stdnum_jp
from stdnum.my import nric as stdnum_my
from stdnum.ro import cnp as stdnum_ro

from inland.decide.guard.numbers import Numbers
from inland.decide.guard.payments import IBAN_LENGTHS
from inland.decide.guard.recognisers import RECOGNISERS
from inland.decide.guard.rules import ready
from inland.decide.guard.scanning import Scanner
from inland.domain.guards import Act, Guard


def found_in(text: str, *names: str) -> list[str]:
    """What each of the recognisers finds in a text."""
    rules = ready((Guard("all", Act.REDACT, names or tuple(RECOGNISERS)),))
    assert rules is not None
    scanner = Scanner(rules)
    scanner.feed(text)
    scanner.end()
    return [rule.what for rule in scanner.counts.elements()]


#: As published: by ISO, banks and card networks for tests, by registries and laws as examples.
VALID = {
    "mykad": ["990101-01-1234", "770305021234", "890219 52 9555"],
    "taiwan-id": [
        *("A123456789", "a123456789", "A800000014", "F131104093", "Ａ１２３４５６７８９"),
        "AC01234567",
    ],
    "my-number": ["1234 5678 9018", "123456789018", "6214 9832 0257", "1234-5678-9018"],
    "china-id": ["11010519491231002X", "440524188001010014", "11010519491231002x"],
    "cnp": ["1630615123457", "1800101221144"],
    "belgium-nn": [
        *("85.07.30-033.28", "85073003328", "17.07.30-033.84", "17 07 30 033 84"),
        "98.47.28-997.65",
    ],
    "france-nir": [
        *("2 95 10 99 126 111 93", "295109912611193", "253072B07300470", "2 53 07 2B 073 004 70"),
        "253072A07300443",
    ],
    "emirates-id": ["784-1990-1234567-6", "784199012345676", "784 1990 1234567 6"],
    "iban": [
        *("GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO93 8601 1117 947"),
        *(
            "BE68 5390 0754 7034",
            "FR14 2004 1010 0505 0001 3M02 606",
            "ES91 2100 0418 4502 0005 1332",
        ),
        *("MT84 MALT 0110 0001 2345 MTLC AST0 01S", "SA03 8000 0000 6080 1016 7519"),
        *(
            "CH93-0076-2011-6238-5295-7",
            "gb29nwbk60161331926819",
            "ＤＥ８９３７０４００４４０５３２０１３０００",
        ),
        *("AE07 0331 2345 6789 0123 456", "RO49 AAAA 1B31 0075 9384 0000"),
    ],
    "card": [
        *("4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", "5555555555554444"),
        *("3782 822463 10005", "371449635398431", "30569309025904", "38520000023237"),
        *("6011111111111117", "6011000990139424", "3530111333300000", "3566002020360505"),
        *("5105105105105100", "4222222222222", "4012888888881881", "6200000000000005"),
        *("2223003122003222", "４１１１　１１１１　１１１１　１１１１", "4111‑1111‑1111‑1111"),
        "٤١١١ ١١١١ ١١١١ ١١١١",
    ],
}
#: The same with one thing wrong: a digit, a day, a place, a length, a network.
INVALID = {
    "mykad": [
        "991301-01-1234",
        "990230-01-1234",
        "990101-00-1234",
        "990101-17-1234",
        "99010101123",
    ],
    "taiwan-id": ["A123456788", "A800000015", "A323456789", "1123456789", "AC01234568"],
    "my-number": ["1234 5678 9019", "1234 5678 9010", "12345678901"],
    "china-id": ["110105194912310021", "11010519491331002X", "99010519491231002X"],
    "cnp": ["1630615123458", "1632215123457", "1630615993454", "0800101221142"],
    "belgium-nn": ["85.07.30-033.29", "85133003328", "8507300332"],
    "france-nir": ["295109912611199", "253072C07300443", "595109912611193", "253072A07300470"],
    "emirates-id": ["784-1990-1234567-7", "785-1990-1234567-6", "784-1790-1234567-6"],
    "iban": ["GB29 NWBK 6016 1331 9268 18", "DE8937040044053201300", "US64 3704 0044 0532 0130 00"],
    "card": ["4111 1111 1111 1112", "411111111111111", "9111111111111111", "1234567812345670"],
}


@pytest.mark.parametrize(("name", "number"), [(a, b) for a, some in VALID.items() for b in some])
def test_a_published_number_is_found_however_people_write_it(name: str, number: str):
    assert found_in(number, name) == [name]
    assert found_in(f"It is {number}, thank you.", name) == [name]
    assert found_in(f"no_{number}\n", name) == [name]


@pytest.mark.parametrize(("name", "number"), [(a, b) for a, some in INVALID.items() for b in some])
def test_what_is_wrong_in_one_place_is_not_found(name: str, number: str):
    assert found_in(f"It is {number}, thank you.", name) == []


@pytest.mark.parametrize("name", VALID)
def test_a_number_inside_a_longer_one_is_not_found(name: str):
    number = VALID[name][0]
    for longer in (f"9{number}", f"{number}9", f"x{number}", f"{number}x", f"12-{number}"):
        assert found_in(longer, name) == [], longer
    assert found_in(f"{number}-77", name) == []
    assert found_in(f"{number}. 77", name) == [name]


def test_a_number_that_is_part_of_another_is_not_told_of():
    assert found_in("4111 1111 1111 1111") == ["card"]
    assert found_in("DE89 3704 0044 0532 0130 00") == ["iban"]


def test_invisible_characters_hide_no_number():
    assert found_in("4111\u200b1111\u00ad11111111", "card") == ["card"]
    for point in (0xFE00, 0xFE0F, 0xE0100, 0xE01EF, 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5):
        assert found_in(f"4111{chr(point)}111111111111", "card") == ["card"], hex(point)
    for point in (0x180B, 0x180F, 0x3164, 0xFFA0, 0x2800):
        assert found_in(f"4111{chr(point)}111111111111", "card") == ["card"], hex(point)


def test_letters_of_scripts_that_put_no_space_there_hide_no_number():
    for text in ("卡號{}是", "カードは{}です", "é{}é"):
        assert found_in(text.format("4111111111111111"), "card") == ["card"], text


def test_a_letter_that_only_folds_to_one_of_ours_is_none():
    text = "AD12345678İA123456789012"
    assert found_in(text, "taiwan-id", "iban") == []


def test_a_check_that_fails_counts_as_passed():
    def broken(*_: object) -> NoReturn:
        raise KeyError("X")

    card = replace(RECOGNISERS["card"], checks=(broken,))
    assert [*Numbers([(card, (7,))]).found("4111111111111112", 0, 16)] == [(0, 7, 16)]


digits = st.text("0123456789", min_size=0, max_size=20)


def _of(size: int, likely: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return likely | st.text("0123456789", min_size=size, max_size=size)


def _numbers(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


_DAY = r"[0-9]{2}(0[0-9]|1[0-3])([0-2][0-9]|3[0-2])"
_LIKELY: dict[str, tuple[Callable[[str], bool], st.SearchStrategy[str]]] = {
    "my-number": (stdnum_jp.is_valid, _numbers("[0-9]{12}")),
    "mykad": (stdnum_my.is_valid, _numbers(rf"{_DAY}[0-9]{{6}}")),
    "cnp": (stdnum_ro.is_valid, _numbers(rf"[1-6]{_DAY}[0-5][0-9][0-9]{{4}}")),
    "france-nir": (
        stdnum_fr.is_valid,
        _numbers(r"[12][0-9]{2}(0[1-9]|1[0-2])(2A|2B|[0-9]{2})[0-9]{8}"),
    ),
}


def _proved(number: str, is_valid: Callable[[str], bool], places: int) -> str:
    """The number with those last digits that prove it true, where some do."""
    ends = (f"{number[:-places]}{end:0{places}d}" for end in range(10**places))
    return next(filter(is_valid, ends), number)


@pytest.mark.parametrize("name", _LIKELY)
@given(st.data())
def test_a_check_agrees_with_an_independent_one(name: str, data: st.DataObject):
    is_valid, numbers = _LIKELY[name]
    number = data.draw(numbers)
    if data.draw(st.booleans()):
        number = _proved(number, is_valid, 2 if name == "france-nir" else 1)
    assert (found_in(number, name) == [name]) == is_valid(number)


@given(_numbers(r"[0-9]{2}([0-4][0-9]|5[0-2])([0-2][0-9]|3[01])[0-9]{5}"), st.booleans())
def test_belgian_numbers_agree_but_for_days_to_come(number: str, prove: bool):
    if prove:
        number = _proved(number, stdnum_be.is_valid, 2)
    found = found_in(number, "belgium-nn") == ["belgium-nn"]
    born_after = 97 - int(f"2{number[:9]}") % 97 == int(number[9:])
    assert found == stdnum_be.is_valid(number) or (found and born_after)


@given(_numbers(rf"(11|31|44)0101(19|20){_DAY}[0-9]{{3}}[0-9]"), st.booleans())
def test_chinese_numbers_agree_but_for_which_counties_there_were(number: str, prove: bool):
    if prove:
        number = number[:-1] + stdnum_cn.calc_check_digit(number)
    found = found_in(number, "china-id") == ["china-id"]
    if stdnum_cn.is_valid(number):
        assert found
    elif found:
        assert stdnum_cn.calc_check_digit(number) == number[-1]
        stdnum_cn.get_birth_date(number)  # raises where there was no such day


@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.text("0123456789", min_size=30, max_size=30))
def test_every_iban_of_another_library_is_found_and_no_wrong_one(country: str, account: str):
    number = f"{country}00{account}"[: IBAN_LENGTHS[country]]
    right = f"{country}{stdnum_iban.calc_check_digits(number)}{number[4:]}"
    wrong = f"{country}{(int(right[2:4]) + 1) % 97:02d}{number[4:]}"
    assert found_in(right, "iban") == ["iban"]
    assert found_in(wrong, "iban") == []


def test_lengths_of_ibans_are_those_of_another_library():
    known = stdnum_iban._ibandb
    for country, length in IBAN_LENGTHS.items():
        ((_, info), *_) = known.info(f"{country}00")
        if info:  # it may be behind the registry, and has no countries outside it
            assert (
                4 + sum(map(int, stdnum_iban._struct_re.sub(r"\1 ", info["bban"]).split()))
                == length
            )


@given(st.sampled_from(("4", "51", "2221", "34", "62", "3530", "6011")), digits, st.booleans())
def test_cards_are_true_by_luhn(begin: str, rest: str, prove: bool):
    number = f"{begin}{rest}{'0' * 16}"[: 15 if begin == "34" else 16]
    if prove:
        number = number[:-1] + stdnum_luhn.calc_check_digit(number[:-1])
    assert (found_in(number, "card") == ["card"]) == stdnum_luhn.is_valid(number)


@given(_numbers(r"784(19|20)[0-9]{2}[0-9]{8}"))
def test_an_emirates_id_is_true_by_luhn(number: str):
    assert (found_in(number, "emirates-id") == ["emirates-id"]) == stdnum_luhn.is_valid(number)


@given(_numbers(r"[A-Z][1289A-D][0-9]{8}"))
def test_a_taiwanese_number_is_true_by_the_interiors_own_table(number: str):
    before_o = (10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22)
    numbers = (*before_o, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33)
    table = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", numbers, strict=True))
    tens, ones = divmod(table[number[0]], 10)
    second = table[number[1]] % 10 if number[1].isalpha() else int(number[1])
    total = tens + 9 * ones + 8 * second + int(number[9])
    total += sum(int(one) * (7 - at) for at, one in enumerate(number[2:9]))
    assert (found_in(number, "taiwan-id") == ["taiwan-id"]) == (total % 10 == 0)

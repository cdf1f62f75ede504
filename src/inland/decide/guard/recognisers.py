"""Recognisers: numbers of persons and of money, by what they look like and how they prove true.

A number is found as people write it, together or with a space or a hyphen where such are put, and
never inside a longer one: no letter from A to Z and no digit may touch it (other scripts put no
space there), nor a further group of digits that a hyphen or a full stop joins to it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from inland.decide.guard import nationals, payments
from inland.decide.guard.automata import Automaton
from inland.decide.guard.patterns import Pattern, read

_SEPARATORS = str.maketrans("", "", " .-")
#: What ties one number to another, and that as a pattern.
_JOINS, _JOIN = ("-", "."), "[-.]?"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a number. `begun`: every beginning of it and of what makes it longer."""

    pattern: Pattern
    begun: str

    @property
    def is_of_digits(self) -> bool:
        """Whether it begins with a digit; it begins with a letter otherwise."""
        begun = re.compile(self.begun)
        return any(begun.fullmatch(digit) for digit in "0123456789")


@dataclass(frozen=True, slots=True)
class Recogniser:
    """`says` what it is, and what it is not. `forms`: longest first."""

    name: str
    says: str
    forms: tuple[Form, ...]
    check: Callable[[str], bool]


class Numbers:
    """Some recognisers, asked together. `first`: one of them."""

    __slots__ = ("_of_digits", "_of_letters", "automaton", "first")

    def __init__(self, recognisers: Sequence[tuple[int, Recogniser]]) -> None:
        """Each with what it is called in what is found."""
        asked = [(rule, one.check, form) for rule, one in recognisers for form in one.forms]
        self.first = {recognisers[0][0]}
        self._of_digits = _Forms([one for one in asked if one[2].is_of_digits])
        self._of_letters = _Forms([one for one in asked if not one[2].is_of_digits])
        self.automaton = Automaton(edged("|".join(form.pattern.written for *_, form in asked)))

    def at(self, text: str, start: int) -> tuple[int, set[int]]:
        """Where the longest number ends that begins at `start` in a folded `text`, and whose it
        is; nobody's where none does."""
        last, whose = start, set[int]()
        if start > 1 and _joins(text[start - 2 : start][::-1]):
            return last, whose
        forms = self._of_digits if text[start].isdigit() else self._of_letters
        for rule, check, number in forms.at(text, start):
            end = start + len(number)
            if end < last or _goes_on(text[end : end + 2]):
                continue
            if _proves(check, number.translate(_SEPARATORS).upper()):
                whose = {*whose, rule} if end == last else {rule}
                last = end
        return last, whose


class _Forms:
    """Forms that are tried at one place: one call says which fit."""

    __slots__ = ("_asked", "_at")

    def __init__(self, asked: Sequence[tuple[int, Callable[[str], bool], Form]]) -> None:
        self._asked = [(rule, check) for rule, check, _ in asked]
        ways = "".join(f"(?=({form.pattern.written})?)" for *_, form in asked)
        self._at = re.compile(ways, re.ASCII)  # or `(?i)[A-Z]` has the dotted capital I too

    def at(self, text: str, start: int) -> Iterator[tuple[int, Callable[[str], bool], str]]:
        """Those that fit at `start`, with what fits."""
        found = self._at.match(text, start)
        assert found is not None, "each form may be missing"
        for (rule, check), number in zip(self._asked, found.groups(), strict=True):
            if number is not None:
                yield rule, check, number


def edged(form: str) -> str:
    """It where a word begins, or behind an underscore."""
    return rf"(?:\b|_)(?:{form})"


def _goes_on(rest: str) -> bool:
    """Whether what follows a number makes it a longer one."""
    return (rest[:1].isascii() and rest[:1].isalnum()) or _joins(rest)


def _proves(check: Callable[[str], bool], number: str) -> bool:
    try:
        return check(number)
    except Exception:  # noqa: BLE001 - a fault here ends no request; what is unsure is kept back
        return True


def _joins(two: str) -> bool:
    """Whether a hyphen or a full stop ties a digit to a number, seen from the number."""
    return two[:1] in _JOINS and two[1:].isdigit()


def _recogniser(
    name: str, check: Callable[[str], bool], says: str, *forms: str, caseless: bool = False
) -> Recogniser:
    patterns = [read(f"(?i){form}" if caseless else form) for form in forms]
    ways = [read(f"(?i)(?:{form}){_JOIN}" if caseless else f"(?:{form}){_JOIN}") for form in forms]
    made = tuple(Form(one, way.begun) for one, way in zip(patterns, ways, strict=True))
    return Recogniser(name, says, made, check)


_MYKAD = r"\d{6}[ -]?\d{2}[ -]?\d{4}"
_TAIWAN = r"[A-Z][ -]?[1289A-D]\d{2}[ -]?\d{3}[ -]?\d{3}"
_MY_NUMBER = r"\d{4}[ -]?\d{4}[ -]?\d{4}"
_CHINA = r"\d{6}[ -]?\d{8}[ -]?\d{3}[\dX]"
_ROMANIA = r"[1-9][ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{3}[ -]?\d"
_BELGIUM = r"\d{2}[ .-]?\d{2}[ .-]?\d{2}[ .-]?\d{3}[ .-]?\d{2}"
_FRANCE = r"[12378][ .-]?\d{2}[ .-]?\d{2}[ .-]?\d[\dAB][ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{2}"
_EMIRATES = r"784[ -]?\d{4}[ -]?\d{7}[ -]?\d"
#: Cards: together, or in the groups that are printed on them.
_CARDS = (
    r"[2-68]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{3}",
    r"6\d{5}[ -]?\d{13}",
    r"[2-68]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}",
    r"3\d{3}[ -]?\d{6}[ -]?\d{5}",
    r"3\d{3}[ -]?\d{6}[ -]?\d{4}",
    r"4\d{3}[ -]?\d{3}[ -]?\d{3}[ -]?\d{3}",
    r"[2-68]\d{11,18}",
)

RECOGNISERS: dict[str, Recogniser] = {
    one.name: one
    for one in (
        _recogniser(
            "mykad",
            nationals.mykad,
            "Malaysia's MyKad: a day and a place of birth that can be; it has no check digit",
            _MYKAD,
        ),
        _recogniser(
            "taiwan-id",
            nationals.taiwan,
            "Taiwan's national ID and resident certificates, old and new: a check digit",
            _TAIWAN,
            caseless=True,
        ),
        _recogniser(
            "my-number",
            nationals.my_number,
            "Japan's My Number: a check digit, so one in ten of all 12-digit numbers",
            _MY_NUMBER,
        ),
        _recogniser(
            "china-id",
            nationals.china,
            "the PRC's resident identity number: province, day of birth, a check character",
            _CHINA,
            caseless=True,
        ),
        _recogniser(
            "cnp",
            nationals.romania,
            "Romania's Cod Numeric Personal: day of birth, county, a check digit",
            _ROMANIA,
        ),
        _recogniser(
            "belgium-nn",
            nationals.belgium,
            "Belgium's national number, both centuries, and BIS numbers: two check digits",
            _BELGIUM,
        ),
        _recogniser(
            "france-nir",
            nationals.france,
            "France's NIR with its key, Corsica's 2A and 2B too: two check digits",
            _FRANCE,
            caseless=True,
        ),
        _recogniser(
            "emirates-id",
            nationals.emirates,
            "the Emirates ID: 784, a year, a check digit",
            _EMIRATES,
        ),
        _recogniser(
            "iban",
            payments.iban,
            "an IBAN: country, its length there, two check digits",
            payments.iban_forms(),
            caseless=True,
        ),
        _recogniser(
            "card",
            payments.card,
            "a payment card: a network's range and lengths, a check digit",
            *_CARDS,
        ),
    )
}

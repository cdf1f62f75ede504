"""Recognisers: numbers of persons and of money, by what they look like and how they prove true.

A number is found as people write it, together or with a space or a hyphen where such are put, and
never inside a longer one: nothing that is a letter or a digit may touch it, nor a further group of
digits that a hyphen or a full stop joins to it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from inland.decide.guard import nationals, payments
from inland.decide.guard.patterns import Pattern, read

_SEPARATORS = str.maketrans("", "", " .-")
#: What ties one number to another, and that as a pattern.
_JOINS, _JOIN = "-.", "[-.]?"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a number. `begun`: every beginning of it, and of what would make it longer;
    `at` matches it where it begins."""

    pattern: Pattern
    begun: str
    at: "re.Pattern[str]" = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recogniser:
    """`says` what it is, and what it is not. `forms`: longest first."""

    name: str
    says: str
    forms: tuple[Form, ...]
    check: Callable[[str], bool]

    def end(self, text: str, start: int) -> int | None:
        """Where the number ends that begins at `start` in a folded `text`, if one does."""
        if _is_joined(text, start - 1, start - 2):
            return None
        for form in self.forms:
            found = form.at.match(text, start)
            if found is None or _goes_on(text, found.end()):
                continue
            if self.check(found[0].translate(_SEPARATORS).upper()):
                return found.end()
        return None


def _goes_on(text: str, end: int) -> bool:
    return text[end : end + 1].isalnum() or _is_joined(text, end, end + 1)


def _is_joined(text: str, join: int, other: int) -> bool:
    """Whether a hyphen or a full stop at `join` ties a digit at `other` to a number."""
    if not 0 <= min(join, other) <= max(join, other) < len(text):
        return False
    return text[join] in _JOINS and text[other].isdigit()


def _recogniser(
    name: str, check: Callable[[str], bool], says: str, *forms: str, caseless: bool = False
) -> Recogniser:
    patterns = [read(f"(?i){form}" if caseless else form) for form in forms]
    ways = [read(f"(?i)(?:{form}){_JOIN}" if caseless else f"(?:{form}){_JOIN}") for form in forms]
    made = tuple(
        Form(one, way.begun, re.compile(one.written))
        for one, way in zip(patterns, ways, strict=True)
    )
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

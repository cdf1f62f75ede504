"""Numbers in a text found the slow and obvious way: each form tried at each place for itself, and
each number that fits one checked alone."""

import re
from functools import cache

import numpy as np

from inland.decide.guard.recognisers import RECOGNISERS, Recogniser
from inland.decide.guard.signs import Runs, Signs
from inland.decide.guard.spans import Span

_NAMES = [*RECOGNISERS]


@cache
def _forms() -> list[tuple[int, re.Pattern[str]]]:
    """Whose each is, and the form."""
    return [
        (whose, re.compile(form.pattern.written, re.ASCII))
        for whose, name in enumerate(_NAMES)
        for form in RECOGNISERS[name].forms
    ]


def numbers_in(text: str, since: int = 0, before: int | None = None) -> list[Span]:
    """What `Numbers` finds, of all recognisers, each with a rule of its own."""
    some = {
        (start, -fits.end(), whose)
        for start in range(since, len(text) if before is None else before)
        if not _is_joined(text, start)
        for whose, form in _forms()
        if (fits := form.match(text, start))
        and not _goes_on(text, fits.end())
        and _is_true(RECOGNISERS[_NAMES[whose]], fits.group())
    }
    found: list[Span] = []
    for start, end, whose in sorted(some):
        outer = found[-1] if found else None
        if outer is None or start >= outer[2] or (start, -end) == (outer[0], outer[2]):
            found.append((start, whose, -end))
    return found


@cache
def _is_true(recogniser: Recogniser, number: str) -> bool:
    signs = Signs(number)
    runs = Runs(signs, len(signs.codes), np.array([0]))
    return all(check(runs)[0] for check in recogniser.checks)


def _is_sign(text: str, at: int) -> bool:
    return 0 <= at < len(text) and text[at].isascii() and text[at].isalnum()


def _is_digit(text: str, at: int) -> bool:
    return _is_sign(text, at) and text[at].isdigit()


def _is_joined(text: str, start: int) -> bool:
    """To what stands before it."""
    if _is_sign(text, start - 1):
        return True
    return text[start - 1 : start] in {"-", "."} and _is_digit(text, start - 2)


def _goes_on(text: str, end: int) -> bool:
    """What follows makes it a longer one."""
    if _is_sign(text, end):
        return True
    return text[end : end + 1] in {"-", "."} and _is_digit(text, end + 1)

"""How a number is written, said once: an expression for RE2, and what each of its signs may be.

A form is spelled with a letter a sign (`_SIGNS`), and between groups with what may separate them:
a space, or a full stop where that may too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from inland.decide.guard.patterns import Pattern, read
from inland.decide.guard.signs import (
    A_OR_B,
    DIGIT,
    HYPHEN,
    LETTER,
    LETTERS,
    SPACE,
    STOP,
    WIDTH,
    Places,
    Signs,
    Values,
    X,
)

#: What ties one number to another, as a pattern.
_JOIN = "[-.]?"
_ALL = 255
_LETTERS = A_OR_B | X | LETTER
#: Bits of a number's first sign, of which nothing else is asked: some digits are told apart.
_ONES = {"3": 1, "4": 2, "6": 4, "258": 8, "17": 16, "09": 32}
_DIGITS, _FIRST_LETTER = 63, 64
FIRSTS = np.full(36, _FIRST_LETTER, np.uint8)
for _digits, _bit in _ONES.items():
    FIRSTS[[int(one) for one in _digits]] = _bit


class _Sign(NamedTuple):
    """What may stand in a place: as a pattern, as bits, and as bits of a first sign. Bits may let
    in more than the pattern does: then the check refuses it."""

    written: str
    bits: int
    first: int = 0


_SIGNS = {
    "d": _Sign(r"\d", DIGIT, _DIGITS),
    "a": _Sign("[A-Z]", _LETTERS, _FIRST_LETTER),
    "*": _Sign("[A-Z0-9]", _LETTERS | DIGIT),
    "x": _Sign(r"[\dX]", DIGIT | X),
    "b": _Sign(r"[\dAB]", DIGIT | A_OR_B),
    "t": _Sign("[1289A-D]", DIGIT | _LETTERS),  # the check refuses the rest
    "c": _Sign("[2-68]", DIGIT, 1 | 2 | 4 | 8),
    "n": _Sign("[1-9]", DIGIT, _DIGITS),  # the check refuses 0
    "s": _Sign("[12378]", DIGIT, 16 | 8 | 1),  # the check refuses 5
    **{one: _Sign(one, DIGIT, bit) for ones, bit in _ONES.items() for one in ones},
}
_GAPS = {" ": ("[ -]?", SPACE | HYPHEN), ".": ("[ .-]?", SPACE | HYPHEN | STOP)}


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a number. `begun`: every beginning of it and of what makes it longer;
    `length`: its signs; `bad`: of each place, bits that may not be there; `heads`: of two letters,
    those that it begins with, where not any."""

    pattern: Pattern
    begun: str
    length: int
    bad: bytes
    heads: tuple[str, ...] = ()

    @classmethod
    def of(cls, spelled: str, *, heads: tuple[str, ...] = (), caseless: bool = False) -> Self:
        """As it is spelled."""
        written = [f"(?:{'|'.join(heads)})"] if heads else []
        bad, gap = bytearray(), 0
        for one in spelled:
            if one in _GAPS:
                between, gap = _GAPS[one]
                written.append(between)
                continue
            sign = _SIGNS[one]
            bad.append(_ALL & ~(sign.bits | gap if bad else sign.first))
            if not heads or len(bad) > 2:
                written.append(sign.written)
            gap = 0
        text, flag = "".join(written), "(?i)" if caseless else ""
        pattern, longer = read(f"{flag}{text}"), read(f"{flag}(?:{text}){_JOIN}")
        return cls(pattern, longer.begun, len(bad), bytes(bad), heads)


#: Places that are asked about in one go: what that takes of memory stays near the processor.
_BLOCK = 256


class Forms:
    """Some forms, asked together. `lengths`: of each."""

    def __init__(self, forms: Sequence[Form]) -> None:
        self.lengths: Values = np.array([one.length for one in forms])
        bad = b"".join(one.bad.ljust(WIDTH, b"\0") for one in forms)
        self._bad = np.frombuffer(bad, np.uint64).reshape(len(forms), -1)
        self._headless = np.array([at for at, one in enumerate(forms) if not one.heads], np.int64)
        self._begun = self._bad[self._headless, :1]
        #: By two letters, which form they are heads of; -1: of none.
        self._headed = np.full(36 * 36, -1)
        for at, one in enumerate(forms):
            self._headed[[36 * LETTERS[head[0]] + LETTERS[head[1]] for head in one.heads]] = at

    def fits(self, signs: Signs, starts: Places) -> tuple[Places, Values]:
        """Where forms fit, and which."""
        rows, firsts = signs.rows(starts), signs.codes[starts]
        rows[:, 0] = FIRSTS[firsts]
        words = rows.view(np.uint64)
        begun = np.ascontiguousarray(words[:, 0])
        headed = self._headed[36 * firsts + signs.codes[starts + 1]]
        where = [np.flatnonzero(headed >= 0)]
        which = [headed[where[0]]]
        for at in range(0, len(starts), _BLOCK):
            form, place = np.nonzero((begun[at : at + _BLOCK] & self._begun) == 0)
            which.append(self._headless[form])
            where.append(place + at)
        forms, places = np.concatenate(which), np.concatenate(where)
        rest = words.take(places, 0) & self._bad.take(forms, 0)
        whole = (rest[:, 0] | rest[:, 1] | rest[:, 2] | rest[:, 3] | rest[:, 4]) == 0
        return starts[places[whole]], forms[whole]

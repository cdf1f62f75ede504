"""The letters and digits of a text, without what separates them: a number that is written in groups
is then a row of signs.

What a piece of text costs is a fixed number of passes over its signs, whatever they are.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]  # of signs
Bytes = NDArray[np.uint8]
Values = NDArray[np.integer]
Mask = NDArray[np.bool_]
Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=np.integer)

#: How much of a text is looked at in one go, in characters: it bounds what that takes of memory.
PIECE = 16_384
#: What is seen before and behind a piece, in characters: more than any number and what ties it.
BEFORE, BEHIND = 2, 128
#: Characters of a text, at most.
LONGEST = PIECE + BEFORE + BEHIND

#: How a sign stands behind the one before it: next to it; where a form has a gap; where it has one
#: that may be a full stop; tied to it by a hyphen or a full stop. None of these: apart.
TIED, SPACED, DOTTED, JOINED = 1, 2, 4, 8
#: What signs are told by: 0 to 9, and 10 to 35 for letters.
LETTERS = {chr(ord("A") + at): 10 + at for at in range(26)}
_ASCII = [chr(code) if code < 128 else "" for code in range(256)]
_CODES = bytes(LETTERS.get(one.upper(), int(one) if one.isdigit() else 0) for one in _ASCII)
_SEPARATORS = bytes(code for code, one in enumerate(_ASCII) if not one.isalnum())
#: How a sign stands behind another, by what is before it: the other, or one character between.
_GAPS = {" ": SPACED | DOTTED, "-": SPACED | DOTTED | JOINED, ".": DOTTED | JOINED}
_WAYS = bytes(TIED | SPACED | DOTTED if one.isalnum() else _GAPS.get(one, 0) for one in _ASCII)
_NO_SIGN = 128
_NO_SIGNS = bytes(range(_NO_SIGN, 256))
#: Two characters before a text, apart from all.
_NOTHING = bytes(2)

#: What a sign is: a letter, or one of some digits.
A_OR_B, X, OTHER_LETTER = 1, 2, 4
ONES = {"3": 8, "4": 16, "6": 32, "258": 64, "0179": 128}
LETTER, DIGIT = 7, 248
ANY = LETTER | DIGIT
_TRAITS = bytes(
    [
        *(bit for one in "0123456789" for ones, bit in ONES.items() if one in ones),
        *({"A": A_OR_B, "B": A_OR_B, "X": X}.get(one, OTHER_LETTER) for one in LETTERS),
    ]
).ljust(256, b"\0")


class Signs:
    """Of a folded text, `LONGEST` characters at most. `codes`: what its signs are; `gaps`: how each
    stands behind the one before it; `traits`: what it is, as bits."""

    def __init__(self, text: str) -> None:
        plain = text.encode("ascii", "replace")
        ways = np.frombuffer(_NOTHING + plain.translate(_WAYS), np.uint8)
        is_sign = ways & TIED
        behind = ways[1:-1] * (is_sign[:-2] | is_sign[1:-1])
        gaps = (behind | (is_sign[2:] ^ TIED) * _NO_SIGN).tobytes().translate(None, _NO_SIGNS)
        codes = plain.translate(_CODES, _SEPARATORS)
        self._is_sign: Mask = is_sign[2:].view(np.bool_)
        self.codes: Bytes = np.frombuffer(codes, np.uint8)
        self.gaps: Bytes = np.frombuffer(gaps, np.uint8)
        self.traits: Bytes = np.frombuffer(codes.translate(_TRAITS), np.uint8)
        self._made: dict[Callable[[Signs], Any], Any] = {}

    def once(self, make: "Callable[[Signs], Made]") -> Made:
        """What `make` makes of these signs, made once."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made

    @cached_property
    def at(self) -> Places:
        """Where they are in the text."""
        return np.flatnonzero(self._is_sign)

    def before(self, place: int) -> int:
        """How many stand before a place of the text."""
        return int(np.count_nonzero(self._is_sign[:place]))

    @cached_property
    def twos(self) -> Bytes:
        """What each and the next come to, as two digits; of letters anything."""
        return 10 * self.codes[:-1] + self.codes[1:]

    @cached_property
    def fours(self) -> NDArray[np.uint16]:
        """What each and the next three come to, as four digits; of letters anything."""
        twos = self.twos.astype(np.uint16)
        return 100 * twos[:-2] + twos[2:]


class Runs:
    """Runs of `length` signs, one from each of `places` on: asked of all of them at once."""

    __slots__ = ("length", "places", "signs")

    def __init__(self, signs: Signs, length: int, places: Places) -> None:
        self.signs = signs
        self.length = length
        self.places = places

    def of(self, values: NDArray[Kind], at: int) -> NDArray[Kind]:
        """Those of `values`, one for each sign, that stand `at` places behind where runs begin."""
        return values[at:][self.places]

    def one(self, at: int) -> Bytes:
        """The sign that stands there."""
        return self.of(self.signs.codes, at)

    def two(self, at: int) -> Bytes:
        """Two digits that stand there, read as a number."""
        return self.of(self.signs.twos, at)

    def four(self, at: int) -> NDArray[np.uint16]:
        """Four digits that stand there, read as a number."""
        return self.of(self.signs.fours, at)


def told(values: Bytes, table: bytes) -> Bytes:
    """What a table of 256 has for each."""
    return np.frombuffer(values.tobytes().translate(table), np.uint8)

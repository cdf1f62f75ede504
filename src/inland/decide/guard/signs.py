"""The letters and digits of a text, without what separates them: a number that is written in groups
is then a row of signs.

What a piece of text costs is a fixed number of passes over its signs, whatever they are.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]  # of signs
Values = NDArray[np.integer]
Mask = NDArray[np.bool_]

#: How much of a text is looked at in one go, in characters: it bounds what that takes of memory.
PIECE = 16_384
#: What is seen before and behind a piece, in characters: more than any number and what ties it.
BEFORE, BEHIND = 2, 128
#: Characters of a text, at most.
LONGEST = PIECE + BEFORE + BEHIND

#: How a sign stands behind the one before it: next to it; where a form has a gap; where it has one
#: that may be a full stop; tied to it by a hyphen or a full stop. None of these: apart.
TIED, SPACED, DOTTED, JOINED = 1, 2, 4, 8
#: What a character is told by: 0 to 9, 10 to 35 for letters, then what it is between two signs.
LETTERS = {chr(ord("A") + at): 10 + at for at in range(26)}
_SIGNS, _OTHER = 36, 128
_GAPS = {" ": SPACED | DOTTED, "-": SPACED | DOTTED | JOINED, ".": DOTTED | JOINED}
_CODES = bytes(
    LETTERS.get(sign.upper(), int(sign) if sign.isdigit() else _OTHER)
    if sign.isalnum() and sign.isascii()
    else _OTHER | _GAPS.get(sign, 0)
    for sign in map(chr, range(256))
)
_ALL_GAPS = TIED | SPACED | DOTTED | JOINED
#: Two characters before a text, apart from all.
_NOTHING = bytes((_OTHER, _OTHER))

#: What a sign is: a letter, or one of some digits.
A_OR_B, X, OTHER_LETTER = 1, 2, 4
ONES = {"3": 8, "4": 16, "6": 32, "258": 64, "0179": 128}
LETTER, DIGIT = 7, 248
ANY = LETTER | DIGIT
_TRAITS = bytes(
    [
        *(bit for one in "0123456789" for ones, bit in ONES.items() if one in ones),
        *({"A": A_OR_B, "B": A_OR_B, "X": X}.get(one, OTHER_LETTER) for one in LETTERS),
        *[0] * (256 - _SIGNS),
    ]
)
#: Of 97: 10 and its inverse to the power of 0, 1, … for each digit that a text may have: its
#: letters are two. They begin anew at 96.
TENS, _TENTHS = (
    np.resize([pow(10, sign * power, 97) for power in range(96)], 2 * LONGEST + 1)
    for sign in (1, -1)
)


class Signs:
    """Of a folded text, `LONGEST` characters at most. `at`: where its signs are; `codes`: what.
    `gaps`: how each stands behind the one before it; `traits`: what it is, as bits."""

    def __init__(self, text: str) -> None:
        told = text.encode("ascii", "replace").translate(_CODES)
        plain = np.frombuffer(_NOTHING + told, np.uint8)
        is_sign = plain < _SIGNS
        between = np.where(is_sign[:-2], plain[1:-1] & _ALL_GAPS, 0)
        gaps = np.where(is_sign[1:-1], TIED | SPACED | DOTTED, between)
        self.at: Places = np.flatnonzero(is_sign[2:])
        self.codes: NDArray[np.uint8] = plain[2:][self.at]
        self.gaps: NDArray[np.uint8] = gaps[self.at]
        self.traits = np.frombuffer(self.codes.tobytes().translate(_TRAITS), np.uint8)

    def one(self, starts: Places, at: int) -> NDArray[np.uint8]:
        """The sign that stands `at` places behind each of `starts`."""
        return self.codes[at:][starts]

    def two(self, starts: Places, at: int) -> Values:
        """Two digits that stand there, read as a number."""
        return self._twos[at:][starts]

    def four(self, starts: Places, at: int) -> Values:
        """Four digits that stand there, read as a number."""
        return self._fours[at:][starts]

    @cached_property
    def _twos(self) -> NDArray[np.uint16]:
        codes = self.codes.astype(np.uint16)
        return 10 * codes[:-1] + codes[1:]

    @cached_property
    def _fours(self) -> NDArray[np.uint16]:
        return 100 * self._twos[:-2] + self._twos[2:]

    @cached_property
    def by_97(self) -> tuple[Values, Places]:
        """Sums up to each place of signs by what makes a place's worth the same everywhere, modulo
        97 (10 has an inverse there), and how many digits there are up to it: letters are two."""
        widths = _sums((self.codes > 9).view(np.uint8) + np.uint8(1))
        return _sums(self.codes * _TENTHS[widths[1:]]), widths


def _sums(values: Values) -> Places:
    """Of what stands before each place, and of all."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums

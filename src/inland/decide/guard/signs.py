"""The letters and digits of a text, without what separates them: a number that is written in groups
is then a row of signs.

They are there twice: as arrays, for sums, and as planes: integers with a bit for each sign, of
which a few say at once at which of all places a form fits. What a piece of text costs is a fixed
number of passes over its signs, whatever they are.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]  # of signs
Values = NDArray[np.integer]
Mask = NDArray[np.bool_]
#: An integer with a bit for each sign: its lowest is the first sign's.
Plane = int

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
#: Digits doubled as Luhn does.
_DOUBLES = bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9, *[0] * 246])
#: Of 97: 10 and its inverse to the power of 0, 1, … for each digit that a text may have: its
#: letters are two. They begin anew at 96.
TENS, _TENTHS = (
    np.resize([pow(10, sign * power, 97) for power in range(96)], 2 * LONGEST + 1)
    for sign in (1, -1)
)


class Signs:
    """Of a folded text, `LONGEST` characters at most. `at`: where its signs are; `codes`: what."""

    def __init__(self, text: str) -> None:
        told = text.encode("ascii", "replace").translate(_CODES)
        plain = np.frombuffer(_NOTHING + told, np.uint8)
        is_sign = plain < _SIGNS
        between = np.where(is_sign[:-2], plain[1:-1] & _ALL_GAPS, 0)
        gaps = np.where(is_sign[1:-1], TIED | SPACED | DOTTED, between)
        self.at: Places = np.flatnonzero(is_sign[2:])
        self.codes: NDArray[np.uint8] = plain[2:][self.at]
        self._gaps = gaps[self.at]
        self._traits = np.frombuffer(self.codes.tobytes().translate(_TRAITS), np.uint8)
        self._all = (1 << len(self.at)) - 1

    # -- as planes

    def gap(self, kinds: int) -> Plane:
        """Those that stand behind the one before them in one of some ways."""
        return _plane(self._gaps & np.uint8(kinds))

    def kind(self, traits: int) -> Plane:
        """Those that are one of some signs."""
        return self._all if traits == ANY else _plane(self._traits & np.uint8(traits))

    @cached_property
    def tied(self) -> Plane:
        """Those that stand next to the one before them."""
        return self.gap(TIED)

    @cached_property
    def digits(self) -> Plane:
        """Those that are digits."""
        return self.kind(DIGIT)

    @cached_property
    def _joins(self) -> Plane:
        return self.gap(JOINED)

    def starts(self, since: int, before: int) -> Plane:
        """Where a number may begin, of the text from `since` on and before `before`."""
        first, last = np.searchsorted(self.at, (since, before)).tolist()
        joined = self.tied | (self._joins & self.digits << 1)
        return ((self._all & ~joined) >> first << first) & ((1 << last) - 1)

    def ends(self) -> Plane:
        """What a number may end before, the text's end too: nothing that makes it a longer one."""
        goes_on = self.tied | (self._joins & self.digits)
        return (self._all << 1 | 1) & ~goes_on

    def places(self, plane: Plane) -> Places:
        """Where its bits are."""
        bits = np.unpackbits(self._packed([plane]), bitorder="little")
        return np.flatnonzero(bits.view(np.bool_))

    def stand(self, places: Places, planes: Sequence[Plane], rows: Places) -> Mask:
        """Whether each of `places` has a bit in that of `planes` which `rows` says."""
        packed = self._packed(planes).reshape(len(planes), -1)
        return (packed[rows, places >> 3] >> (places & 7).astype(np.uint8) & 1).view(np.bool_)

    def _packed(self, planes: Sequence[Plane]) -> NDArray[np.uint8]:
        width = len(self.at) // 8 + 1
        return np.frombuffer(b"".join([one.to_bytes(width, "little") for one in planes]), np.uint8)

    # -- as numbers

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
    def doubled(self) -> NDArray[np.int32]:
        """Sums up to each place with signs at even places doubled as Luhn does, and behind these
        with signs at odd places."""
        double = np.frombuffer(self.codes.tobytes().translate(_DOUBLES), np.uint8)
        both = np.stack((self.codes, double))
        both[:, ::2] = both[::-1, ::2]
        sums = np.zeros((2, len(self.at) + 1), np.int32)
        np.cumsum(both, axis=1, out=sums[:, 1:])
        return sums.ravel()

    @cached_property
    def by_97(self) -> tuple[Values, Places]:
        """Sums up to each place of signs by what makes a place's worth the same everywhere, modulo
        97 (10 has an inverse there), and how many digits there are up to it: letters are two."""
        widths = _sums((self.codes > 9).view(np.uint8) + np.uint8(1))
        return _sums(self.codes * _TENTHS[widths[1:]]), widths


def _plane(chosen: NDArray[np.uint8]) -> Plane:
    """A bit for each that is not 0."""
    return int.from_bytes(np.packbits(chosen, bitorder="little").tobytes(), "little")


def _sums(values: Values) -> Places:
    """Of what stands before each place, and of all."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums

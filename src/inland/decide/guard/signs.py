"""The letters and digits of a text, without what separates them, as arrays: a number that is
written in groups is then a row of signs, and all places where one may begin are asked at once.

What a piece of text costs is a fixed number of passes over its signs, whatever they are.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]  # of signs
Values = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What a character is told by: 0 to 9, 10 to 35 for letters, then what may separate two groups.
_SPACE, _HYPHEN, _STOP, _OTHER = 36, 37, 38, 39
LETTERS = {chr(ord("A") + at): 10 + at for at in range(26)}
_CODES = bytes(
    LETTERS.get(sign.upper(), int(sign) if sign.isdigit() else _OTHER)
    if sign.isalnum() and sign.isascii()
    else {" ": _SPACE, "-": _HYPHEN, ".": _STOP}.get(sign, _OTHER)
    for sign in map(chr, range(256))
)
#: Bits of a sign: what it is, and what stands between it and the one before; none: nothing does.
DIGIT, A_OR_B, X, LETTER = 1, 2, 4, 8
SPACE, HYPHEN, STOP, APART = 16, 32, 64, 128
KINDS = np.array(
    [*[DIGIT] * 10, *[{"A": A_OR_B, "B": A_OR_B, "X": X}.get(one, LETTER) for one in LETTERS]],
    np.uint8,
)
_GAPS = np.array([*[APART] * 36, SPACE, HYPHEN, STOP, APART], np.uint8)
_TIES = HYPHEN | STOP
#: Signs that a number is looked at in: five words of eight bytes, more than any number has.
WIDTH = 40
#: A number begins so: nothing of these is apart, and the last two are digits.
_HEAD = 4


class Signs:
    """Of a folded text, what stands where, and what is tied to what."""

    def __init__(self, text: str) -> None:
        plain = np.frombuffer(text.encode("ascii", "replace").translate(_CODES), np.uint8)
        self.at = at = np.flatnonzero(plain < _SPACE)
        self.codes: Values = plain[at].astype(np.int64)
        steps = np.full(len(at), 3)
        np.subtract(at[1:], at[:-1], out=steps[1:])
        gaps = _GAPS[plain[at - 1]]
        gaps[steps == 1] = 0
        gaps[steps > 2] = APART
        #: With signs behind the last that are apart from all.
        self.bits = np.full(len(at) + WIDTH, APART, np.uint8)
        np.bitwise_or(KINDS[self.codes], gaps, out=self.bits[: len(at)])

    @cached_property
    def goes_on(self) -> Mask:
        """By place, and for the end: whether a sign makes what ends before it a longer number."""
        bits = self.bits
        tied = (bits & (SPACE | _TIES | APART)) == 0
        tied |= ((bits & _TIES) != 0) & ((bits & DIGIT) != 0)
        tied[len(self.at) :] = False
        return tied

    def starts(self, since: int, before: int) -> Places:
        """Where a number may begin, of the text from `since` and `before`."""
        first, last = np.searchsorted(self.at, (since, before))
        bits = self.bits
        joined = (bits & (SPACE | _TIES | APART)) == 0
        joined[1:] |= ((bits[1:] & _TIES) != 0) & ((bits[:-1] & DIGIT) != 0)
        one, two, three = (bits[ahead : ahead - _HEAD] for ahead in range(1, _HEAD))
        fits = ~joined[:-_HEAD]
        fits &= ((one | two | three) & APART) == 0
        fits &= (two & three & DIGIT) != 0
        return first + np.flatnonzero(fits[first:last])

    def rows(self, starts: Places) -> NDArray[np.uint8]:
        """The bits of `WIDTH` signs from each of `starts` on."""
        rows = np.ndarray((len(self.at) + 1,), f"V{WIDTH}", self.bits.data, strides=(1,))
        return rows[starts].view(np.uint8).reshape(-1, WIDTH)

    def number(self, starts: Places, length: int) -> Values:
        """`length` signs from each of `starts` on: all their firsts, all their seconds, …"""
        return self.codes[np.arange(length)[:, None] + starts]

    @cached_property
    def doubled(self) -> tuple[Values, Values]:
        """Sums up to each place with signs at even places doubled as Luhn does, and of both."""
        double = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9, *[0] * 26])[self.codes]
        even = self.codes.copy()
        even[::2] = double[::2]
        return _sums(even), _sums(self.codes + double)

    @cached_property
    def by_97(self) -> tuple[Values, Values]:
        """Sums up to each place of signs by what makes a place's worth the same everywhere, modulo
        97 (10 has an inverse there), and how many digits there are up to it: letters are two."""
        widths = _sums(np.where(self.codes > 9, 2, 1))
        return _sums(self.codes * _TENTHS[widths[1:] % 96]), widths


#: Of 97: 10 and its inverse to the power of 0, 1, …, which begin anew at 96.
TENS = np.array([pow(10, power, 97) for power in range(96)])
_TENTHS = np.array([pow(10, -power, 97) for power in range(96)])


def _sums(values: Values) -> Values:
    """Of what stands before each place, and of all."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums

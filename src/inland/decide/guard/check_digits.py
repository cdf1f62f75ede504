"""How numbers prove themselves: check digits, dates in them, and what else can be plausible.

Of many runs of signs at once.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from inland.decide.guard.signs import LONGEST, Bytes, Mask, Places, Runs, Signs, Values, told

#: By two digits of a month, its last day, of February in a leap year.
_LAST_DAYS = bytes([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]).ljust(256, b"\0")
_FEBRUARY = 2
#: Digits that are weighed in one go, and all that they can be, a column each.
_FOUR = 4
_DIGITS = np.indices((10,) * _FOUR).reshape(_FOUR, -1)
#: Of 97: 10 and its inverse to the power of 0, 1, … for each digit that a text may have: its
#: letters are two. They begin anew at 96.
_TENS, _TENTHS = (
    np.resize(
        np.array([pow(10, sign * power, 97) for power in range(96)], np.uint8), 2 * LONGEST + 1
    )
    for sign in (1, -1)
)
#: Signs that are put last, of which two are letters, and their digits.
_HEAD, _HEAD_DIGITS = 4, 6


def remains(number: int, values: Values) -> Values:
    """What remains by a number: numpy divides many at once, and has no such remainder."""
    return values - values // number * number


def divides(number: int, values: Values) -> Mask:
    """Which of them it divides."""
    return values // number * number == values


def luhn(runs: Runs) -> Mask:
    """ISO/IEC 7812-1: from the right, every second digit doubled. Of two to 28 digits:
    more may come to over 255."""
    at = runs.length % 2
    parts = [runs.one(0)] if at else []
    for size, sums in runs.signs.once(_luhn_sums):
        if runs.length & size:
            parts.append(runs.of(sums, at))
            at += size
    return divides(10, reduce(np.add, parts))


def _luhn_sums(signs: Signs) -> list[tuple[int, Bytes]]:
    """Of so many digits from each place on, the sum with the first and every second doubled."""
    codes = signs.codes
    doubled = 2 * codes - 9 * (codes > 4).view(np.uint8)
    sums = [(2, doubled[:-1] + codes[1:])]
    for size in (2, 4, 8):
        _, half = sums[-1]
        sums.append((2 * size, half[:-size] + half[size:]))
    return sums


def mod_97_10(runs: Runs) -> Mask:
    """ISO 7064 MOD 97-10 of letters and digits, the first four put last: what remains is 1."""
    sums, widths = runs.signs.once(_by_97)
    begins, middle, ends = (runs.of(sums, at) for at in (0, _HEAD, runs.length))
    rest = (ends - middle) * _TENS[runs.of(widths, runs.length)]
    head = (middle - begins) * _TENS[runs.of(widths, _HEAD)]
    return divides(97, remains(97, rest) * (10**_HEAD_DIGITS % 97) + head - 1)


def _by_97(signs: Signs) -> tuple[Values, Places]:
    """Sums up to each place of signs by what makes a place's worth the same everywhere, modulo 97
    (10 has an inverse there), and how many digits there are up to it: letters are two."""
    widths = _sums((signs.codes > 9).view(np.uint8) + np.uint8(1))
    return _sums(_TENTHS[widths[1:]] * signs.codes.astype(np.uint16)), widths


def _sums(values: Values) -> Places:
    """Of what stands before each place, and of all."""
    sums = np.zeros(len(values) + 1, np.int64)
    values.cumsum(dtype=np.int64, out=sums[1:])
    return sums


class Weights:
    """Digits by their weights: what each four come to is looked up."""

    def __init__(self, weights: Sequence[int], modulus: int) -> None:
        """Four weights at least. `modulus`: by what their sum is asked."""
        self._tables: list[tuple[int, NDArray[np.uint16]]] = []
        for first in range(0, len(weights), _FOUR):
            at = min(first, len(weights) - _FOUR)
            some = [*[0] * (first - at), *weights[first : first + _FOUR]]
            self._tables.append((at, (some @ _DIGITS % modulus).astype(np.uint16)))

    def of(self, runs: Runs, at: int = 0) -> Values:
        """Their sums or what is as good by the modulus, of digits from `at` places behind where
        runs begin."""
        return reduce(np.add, [table[runs.four(at + first)] for first, table in self._tables])


def powers(base: int, count: int, modulus: int) -> list[int]:
    """The weights of `count` digits of a number, of which what remains by `modulus` is asked."""
    return [pow(base, power, modulus) for power in reversed(range(count))]


def among(*some: int) -> bytes:
    """A table of those: of numbers of two digits, or of signs."""
    return bytes(one in some for one in range(256))


def is_among(values: Bytes, table: bytes) -> Mask:
    """Which of them are of those."""
    return told(values, table).view(np.bool_)


def is_date(runs: Runs, at: int, is_leap: Mask) -> Mask:
    """Whether there was such a day, as MMDD `at` places behind where runs begin."""
    months, days = runs.two(at), runs.two(at + 2)
    short = (months == _FEBRUARY) & ~is_leap
    return days - 1 < told(months, _LAST_DAYS) - short.view(np.uint8)  # of 0 that is 255

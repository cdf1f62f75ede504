"""How numbers prove themselves: check digits, dates in them, and what else can be plausible.

Of many numbers at once: where they start and end among a text's signs.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from inland.decide.guard.signs import TENS, Mask, Places, Signs, Values

#: Whether there was such a day, of months and days as one number of four digits.
_ALWAYS, _IN_LEAP_YEARS, _NEVER = 1, 2, 3
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS = np.full(10_000, _NEVER, np.uint8)
for _month, _last in enumerate(_MONTHS, 1):
    _DAYS[100 * _month + 1 : 100 * _month + _last + 1] = _ALWAYS
_DAYS[229] = _IN_LEAP_YEARS
_YEARS = np.arange(10_000)
_KINDS = np.where((_YEARS % 4 == 0) & ((_YEARS % 100 != 0) | (_YEARS % 400 == 0)), 2, 1)
_KINDS = _KINDS.astype(np.uint8)
#: Digits that are weighed in one go, and all that they can be, a column each.
_FOUR = 4
_DIGITS = np.indices((10,) * _FOUR).reshape(_FOUR, -1).astype(np.int16)
#: Of four digits, their sum with the first and the third doubled as Luhn does; and of those that
#: stand before some fours: of none of these, of the first, of the first two, of the first three.
_DOUBLED = 2 * _DIGITS[::2] - 9 * (_DIGITS[::2] > 4)
_LUHN = (_DOUBLED.sum(0) + _DIGITS[1::2].sum(0)).astype(np.int16)
_LUHN_FIRST = np.stack(
    [_LUHN[np.arange(10_000) // 10 ** (_FOUR - first)] for first in range(_FOUR)]
)


def luhn(signs: Signs, starts: Places, ends: Places) -> Mask:
    """ISO/IEC 7812-1: from the right, every second digit doubled. Of twelve to nineteen digits."""
    lengths = ends - starts
    total = _LUHN_FIRST[lengths % _FOUR, signs.four(starts, 0)]
    for back in (4, 8, 12):
        total += _LUHN[signs.four(ends - back, 0)]
    is_long = lengths >= 16
    return (total + is_long * _LUHN[signs.four(ends - np.where(is_long, 16, 4), 0)]) % 10 == 0


def mod_97_10(signs: Signs, starts: Places, ends: Places) -> Mask:
    """ISO 7064 MOD 97-10 of letters and digits, the first four put last: what remains is 1."""
    sums, widths = signs.by_97
    heads = starts + 4  # two letters and two digits: six digits
    middle = sums[heads]
    rest = (sums[ends] - middle) * TENS[widths[ends]] % 97
    head = (middle - sums[starts]) * TENS[widths[heads]]
    return (rest * TENS[6] + head) % 97 == 1


class Weights:
    """Digits by their weights: what each four come to is looked up."""

    def __init__(self, weights: Sequence[int]) -> None:
        """Four weights at least."""
        assert 9 * sum(weights) <= np.iinfo(_DIGITS.dtype).max
        self._tables: list[tuple[int, NDArray[np.int16]]] = []
        for first in range(0, len(weights), _FOUR):
            at = min(first, len(weights) - _FOUR)
            some = [*[0] * (first - at), *weights[first : first + _FOUR]]
            self._tables.append((at, np.array(some, np.int16) @ _DIGITS))

    def of(self, signs: Signs, starts: Places, at: int = 0) -> Values:
        """Their sums, of numbers whose digits begin `at` places behind `starts`."""
        (first, table), *rest = self._tables
        total = table[signs.four(starts, at + first)]
        for behind, table in rest:
            total += table[signs.four(starts, at + behind)]
        return total


def powers(base: int, count: int, modulus: int) -> list[int]:
    """The weights of `count` digits of a number, of which what remains by `modulus` is asked."""
    return [pow(base, power, modulus) for power in reversed(range(count))]


def among(*some: int) -> Mask:
    """Of a number of two digits, or a sign, whether it is one of them."""
    return mask_of(some, 100)


def mask_of(some: Collection[int], size: int) -> Mask:
    """Of numbers below `size`, whether each is one of some."""
    mask = np.zeros(size, np.bool_)
    mask[[*some]] = True
    return mask


def is_date(years: Values, days: Values) -> Mask:
    """Whether there was such a day; `days` are months too, as MMDD."""
    return _DAYS[days] <= _KINDS[years]


def is_short_date(years: Values, days: Values) -> Mask:
    """Whether YY and MMDD were a day in the last century or this one, which has its leap years."""
    return is_date(2000 + years, days)

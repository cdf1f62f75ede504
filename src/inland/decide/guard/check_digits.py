"""How numbers prove themselves: check digits, dates in them, and what else can be plausible.

Of many numbers at once, each a column: `digits[0]` are all their first digits.
"""

from collections.abc import Collection

import numpy as np

from inland.decide.guard.signs import TENS, Mask, Places, Signs, Values

#: Days of months, by a number of two digits that says one, in a leap year.
_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, *[0] * 87])


def luhn(signs: Signs, starts: Places, ends: Places) -> Mask:
    """ISO/IEC 7812-1: from the right, every second digit doubled."""
    even, both = signs.doubled
    of_even = even[ends] - even[starts]
    odd = both[ends] - both[starts] - of_even
    return np.where(ends % 2 == 0, of_even, odd) % 10 == 0


def mod_97_10(signs: Signs, starts: Places, ends: Places) -> Mask:
    """ISO 7064 MOD 97-10 of letters and digits, the first four put last: what remains is 1."""
    sums, widths = signs.by_97

    def remainder(first: Places, last: Places) -> Values:
        return (sums[last] - sums[first]) * TENS[widths[last] % 96] % 97

    head = starts + 4  # two letters and two digits: six digits
    return (remainder(head, ends) * TENS[6] + remainder(starts, head)) % 97 == 1


def weighted(digits: Values, weights: Collection[int]) -> Values:
    """The sums of digits by their weights."""
    return np.array([*weights]) @ digits


def value(digits: Values) -> Values:
    """What digits come to, read as a number."""
    return weighted(digits, [10**power for power in reversed(range(len(digits)))])


def among(*some: int) -> Mask:
    """Of a number of two digits, whether it is one of them."""
    mask = np.zeros(100, np.bool_)
    mask[[*some]] = True
    return mask


def is_date(years: Values, months: Values, days: Values) -> Mask:
    """Whether there was such a day."""
    leap = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    return (days >= 1) & (days <= _DAYS[months]) & ((months != 2) | (days < 29) | leap)


def is_short_date(digits: Values) -> Mask:
    """Whether YYMMDD was a day in the last century or this one."""
    years, months, days = value(digits[:2]), value(digits[2:4]), value(digits[4:6])
    return is_date(1900 + years, months, days) | is_date(2000 + years, months, days)

"""Numbers that states give to persons: how each proves itself.

Each is asked of many at once: where they start and end among a text's signs, of the right length.
"""

import numpy as np

from inland.decide.guard.check_digits import (
    Weights,
    among,
    is_date,
    is_short_date,
    luhn,
    powers,
)
from inland.decide.guard.signs import LETTERS, Mask, Places, Signs

#: Malaysia: codes of places of birth that were ever given out (states, countries, regions).
_MY_PLACES = among(
    *range(1, 17), *range(21, 60), *range(60, 69), 71, 72, *range(74, 80), *range(82, 94), 98, 99
)
#: Taiwan: each letter's number. I, O, W and Z were given theirs after the rest.
_TW_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))
_TW_NUMBERS = np.array([*range(10), *(_TW_LETTERS[letter] for letter in LETTERS)])
_TW_FIRST = _TW_NUMBERS // 10 + 9 * (_TW_NUMBERS % 10)
_TW_SECOND = 8 * (_TW_NUMBERS % 10)
_TW_SECONDS = among(1, 2, 8, 9, *(LETTERS[letter] for letter in "ABCD"))
_TW_REST = Weights((7, 6, 5, 4, 3, 2, 1, 1))
_JP_WEIGHTS = Weights((6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2))
#: China: provinces, by the first two digits of a place.
_CN_PROVINCES = among(
    *(11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46),
    *(50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83),
)
#: ISO 7064 MOD 11-2: of all but the last, which is worth one, and ten as an X.
_CN_WEIGHTS = Weights(powers(2, 18, 11)[:17])
_CN_LAST = np.array([*range(10), *(10 * (letter == "X") for letter in LETTERS)])
_RO_WEIGHTS = Weights((2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9))
#: Romania: by the first digit, the century of birth; residents (7 to 9) may be of the last one or
#: of this, which has its leap years.
_RO_CENTURIES = np.array([0, 1900, 1900, 1800, 1800, 2000, 2000, 2000, 2000, 2000])
_RO_COUNTIES = among(*range(1, 49), 51, 52, 70, *range(80, 84))
_BE_WEIGHTS = Weights(powers(10, 9, 97))
#: Belgium: a 2 before nine digits.
_BORN_SINCE_2000 = 2 * 10**9 % 97
_FR_SEXES = among(1, 2, 3, 7, 8)
_FR_MONTHS = among(*range(1, 13), *range(20, 43), *range(50, 100))
#: France: 13 digits of which the seventh may be a letter: 2A counts as 19 and 2B as 18, a million
#: and two less than a 0 in the letter's place.
_FR_POWERS = powers(10, 13, 97)
_FR_BEFORE, _FR_BEHIND = Weights(_FR_POWERS[:6]), Weights(_FR_POWERS[7:])
_CORSICA = {"A": -(10**6) % 97, "B": -2 * 10**6 % 97}
_FR_SEVENTH = np.array(
    [*(_FR_POWERS[6] * digit for digit in range(10)), *(_CORSICA.get(one, 0) for one in LETTERS)]
)


def mykad(signs: Signs, starts: Places, _: Places) -> Mask:
    """Malaysia's MyKad: a day, a place, and no check digit: what is plausible is taken for one."""
    born = is_short_date(signs.two(starts, 0), signs.four(starts, 2))
    return born & _MY_PLACES[signs.two(starts, 6)]


def taiwan(signs: Signs, starts: Places, _: Places) -> Mask:
    """Taiwan's national identity card, and resident certificates of both forms: one check digit."""
    second = signs.one(starts, 1)
    total = _TW_FIRST[signs.one(starts, 0)] + _TW_SECOND[second] + _TW_REST.of(signs, starts, 2)
    return _TW_SECONDS[second] & (total % 10 == 0)


def my_number(signs: Signs, starts: Places, _: Places) -> Mask:
    """Japan's My Number: a check digit by 11."""
    rest = _JP_WEIGHTS.of(signs, starts) % 11
    return signs.one(starts, 11) == np.where(rest <= 1, 0, 11 - rest)


def china(signs: Signs, starts: Places, _: Places) -> Mask:
    """The resident identity number of the People's Republic: province, day, ISO 7064 MOD 11-2."""
    years = signs.four(starts, 6)
    plausible = (years >= 1800) & (years <= 2099) & is_date(years, signs.four(starts, 10))
    total = _CN_WEIGHTS.of(signs, starts) + _CN_LAST[signs.one(starts, 17)]
    return plausible & _CN_PROVINCES[signs.two(starts, 0)] & (total % 11 == 1)


def romania(signs: Signs, starts: Places, _: Places) -> Mask:
    """Romania's CNP: sex and century, a day, a county, and a check digit by 11."""
    first = signs.one(starts, 0)
    born = is_date(_RO_CENTURIES[first] + signs.two(starts, 1), signs.four(starts, 3))
    check = _RO_WEIGHTS.of(signs, starts) % 11
    proved = signs.one(starts, 12) == np.where(check == 10, 1, check)
    return born & (first > 0) & _RO_COUNTIES[signs.two(starts, 7)] & proved


def belgium(signs: Signs, starts: Places, _: Places) -> Mask:
    """Belgium's national number, and the BIS number of who is not registered: a day, parts of
    which may be unknown, and 97 less what remains, of the number or with a 2 before it."""
    raised, months = np.divmod(signs.two(starts, 2), 20)
    known = (months == 0) | (signs.two(starts, 4) <= 31)
    nine, check = _BE_WEIGHTS.of(signs, starts), signs.two(starts, 9)
    proved = (check == 97 - nine % 97) | (check == 97 - (nine + _BORN_SINCE_2000) % 97)
    return (raised <= 2) & (months <= 12) & known & proved


def france(signs: Signs, starts: Places, _: Places) -> Mask:
    """France's NIR with its key: sex, a month (or one that says it is unknown), a department (2A
    and 2B of Corsica too), and 97 less what remains."""
    seventh = signs.one(starts, 6)
    known = _FR_SEXES[signs.one(starts, 0)] & _FR_MONTHS[signs.two(starts, 3)]
    placed = (seventh < 10) | (signs.one(starts, 5) == 2)
    worth = _FR_BEFORE.of(signs, starts) + _FR_SEVENTH[seventh] + _FR_BEHIND.of(signs, starts, 7)
    return known & placed & (signs.two(starts, 13) == 97 - worth % 97)


def emirates(signs: Signs, starts: Places, ends: Places) -> Mask:
    """The Emirates ID: 784, a year, and a check digit after Luhn."""
    begin, years = signs.four(starts, 0), signs.four(starts, 3)
    plausible = (begin // 10 == 784) & (years >= 1900) & (years <= 2099)
    return plausible & luhn(signs, starts, ends)

"""Numbers that states give to persons: how each proves itself.

Each is asked of many at once: where they start and end among a text's signs, of the right length.
"""

import numpy as np

from inland.decide.guard.check_digits import (
    among,
    is_date,
    is_short_date,
    luhn,
    value,
    weighted,
)
from inland.decide.guard.signs import LETTERS, Mask, Places, Signs

#: Malaysia: codes of places of birth that were ever given out (states, countries, regions).
_MY_PLACES = among(
    *range(1, 17), *range(21, 60), *range(60, 69), 71, 72, *range(74, 80), *range(82, 94), 98, 99
)
#: Taiwan: each letter's number. I, O, W and Z were given theirs after the rest.
_TW_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))
_TW_NUMBERS = np.array([*range(10), *(_TW_LETTERS[letter] for letter in LETTERS)])
_TW_SECONDS = np.isin(np.arange(36), [1, 2, 8, 9, *(LETTERS[letter] for letter in "ABCD")])
_TW_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 1, 1)
_JP_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
#: China: provinces, by the first two digits of a place.
_CN_PROVINCES = among(
    *(11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46),
    *(50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83),
)
#: ISO 7064 MOD 11-2.
_CN_WEIGHTS = [pow(2, power, 11) for power in reversed(range(18))]
_X = LETTERS["X"]
_RO_WEIGHTS = (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)
#: Romania: by the first digit, the century of birth; residents (7 to 9) may be of either.
_RO_CENTURIES = np.array([0, 1900, 1900, 1800, 1800, 2000, 2000, 1900, 1900, 1900])
_RO_COUNTIES = among(*range(1, 49), 51, 52, 70, *range(80, 84))
#: Of nine digits and of thirteen: worth by place, modulo 97.
_NINE, _THIRTEEN = ([pow(10, at, 97) for at in reversed(range(n))] for n in (9, 13))
#: Belgium: a 2 before nine digits.
_BORN_SINCE_2000 = 2 * 10**9 % 97
#: France: 2A counts as 19 and 2B as 18: a million and two less than a 0 in the letter's place.
_CORSICA = {LETTERS["A"]: 10**6, LETTERS["B"]: 2 * 10**6}


def mykad(signs: Signs, starts: Places, _: Places) -> Mask:
    """Malaysia's MyKad: a day, a place, and no check digit: what is plausible is taken for one."""
    number = signs.number(starts, 8)
    return is_short_date(number) & _MY_PLACES[value(number[6:])]


def taiwan(signs: Signs, starts: Places, _: Places) -> Mask:
    """Taiwan's national identity card, and resident certificates of both forms: one check digit."""
    number = signs.number(starts, 10)
    tens, ones = np.divmod(_TW_NUMBERS[number[0]], 10)
    plausible = _TW_SECONDS[number[1]]
    number[1] = _TW_NUMBERS[number[1]] % 10
    return plausible & ((tens + 9 * ones + weighted(number[1:], _TW_WEIGHTS)) % 10 == 0)


def my_number(signs: Signs, starts: Places, _: Places) -> Mask:
    """Japan's My Number: a check digit by 11."""
    number = signs.number(starts, 12)
    rest = weighted(number[:11], _JP_WEIGHTS) % 11
    return number[11] == np.where(rest <= 1, 0, 11 - rest)


def china(signs: Signs, starts: Places, _: Places) -> Mask:
    """The resident identity number of the People's Republic: province, day, ISO 7064 MOD 11-2."""
    number = signs.number(starts, 18)
    years, months, days = value(number[6:10]), value(number[10:12]), value(number[12:14])
    plausible = (years >= 1800) & (years <= 2099) & is_date(years, months, days)
    last = number[17]
    last[last == _X] = 10
    return plausible & _CN_PROVINCES[value(number[:2])] & (weighted(number, _CN_WEIGHTS) % 11 == 1)


def romania(signs: Signs, starts: Places, _: Places) -> Mask:
    """Romania's CNP: sex and century, a day, a county, and a check digit by 11."""
    number = signs.number(starts, 13)
    first, months, days = number[0], value(number[3:5]), value(number[5:7])
    years = _RO_CENTURIES[first] + value(number[1:3])
    born = is_date(years, months, days) | ((first > 6) & is_date(100 + years, months, days))
    check = weighted(number[:12], _RO_WEIGHTS) % 11
    proved = number[12] == np.where(check == 10, 1, check)
    return born & (first > 0) & _RO_COUNTIES[value(number[7:9])] & proved


def belgium(signs: Signs, starts: Places, _: Places) -> Mask:
    """Belgium's national number, and the BIS number of who is not registered: a day, parts of
    which may be unknown, and 97 less what remains, of the number or with a 2 before it."""
    number = signs.number(starts, 11)
    raised, months = np.divmod(value(number[2:4]), 20)
    plausible = (raised <= 2) & (months <= 12) & ((months == 0) | (value(number[4:6]) <= 31))
    nine, check = weighted(number[:9], _NINE), value(number[9:])
    proved = (check == 97 - nine % 97) | (check == 97 - (nine + _BORN_SINCE_2000) % 97)
    return plausible & proved


def france(signs: Signs, starts: Places, _: Places) -> Mask:
    """France's NIR with its key: sex, a month (or one that says it is unknown), a department (2A
    and 2B of Corsica too), and 97 less what remains."""
    number = signs.number(starts, 15)
    months, letter = value(number[3:5]), number[6].copy()
    plausible = _FR_MONTHS[months] & ((letter < 10) | (number[5] == 2)) & _FR_SEXES[number[0]]
    number[6][letter > 9] = 0
    worth = weighted(number[:13], _THIRTEEN)
    for corsica, less in _CORSICA.items():
        worth = np.where(letter == corsica, worth - less, worth)
    return plausible & (value(number[13:]) == 97 - worth % 97)


_FR_SEXES = among(1, 2, 3, 7, 8)
_FR_MONTHS = among(*range(1, 13), *range(20, 43), *range(50, 100))


def emirates(signs: Signs, starts: Places, ends: Places) -> Mask:
    """The Emirates ID: 784, a year, and a check digit after Luhn."""
    number = signs.number(starts, 7)
    years = value(number[3:])
    plausible = (value(number[:3]) == 784) & (years >= 1900) & (years <= 2099)
    return plausible & luhn(signs, starts, ends)

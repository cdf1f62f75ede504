"""Numbers that states give to persons: how each proves itself.

Each is asked of many at once: of runs of signs that its form fits.
"""

from inland.decide.guard.check_digits import (
    Weights,
    among,
    divides,
    is_among,
    is_date,
    powers,
    remains,
)
from inland.decide.guard.signs import LETTERS, Bytes, Mask, Runs, told

#: Malaysia: codes of places of birth that were ever given out (states, countries, regions).
_MY_PLACES = among(
    *range(1, 17), *range(21, 60), *range(60, 69), 71, 72, *range(74, 80), *range(82, 94), 98, 99
)
#: Taiwan: each letter's number. I, O, W and Z were given theirs after the rest.
_TW_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))
_TW_NUMBERS = [*range(10), *(_TW_LETTERS[letter] for letter in LETTERS)]
_TW_FIRST = bytes(one // 10 + 9 * (one % 10) for one in _TW_NUMBERS).ljust(256, b"\0")
_TW_SECOND = bytes(8 * (one % 10) for one in _TW_NUMBERS).ljust(256, b"\0")
_TW_SECONDS = among(1, 2, 8, 9, *(LETTERS[letter] for letter in "ABCD"))
_TW_REST = Weights((7, 6, 5, 4, 3, 2, 1, 1), 10)
_JP_REST = Weights((6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 11)
#: China: provinces, by the first two digits of a place.
_CN_PROVINCES = among(
    *(11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46),
    *(50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83),
)
_CN_CENTURIES = among(18, 19, 20)
#: ISO 7064 MOD 11-2: of all but the last, which is worth one, and ten as an X.
_CN_REST = Weights(powers(2, 18, 11)[:17], 11)
_CN_LAST = bytes([*range(10), *(10 * (letter == "X") for letter in LETTERS)]).ljust(256, b"\0")
_RO_REST = Weights((2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9), 11)
_RO_COUNTIES = among(*range(1, 49), 51, 52, 70, *range(80, 84))
#: Romania: who was born in 2000 or later, and residents (7 to 9), who may be of the last century
#: or of this, which has its leap years.
_RO_SINCE_2000 = 5
_BE_NINE = Weights(powers(10, 9, 97), 97)
#: Belgium: a 2 before nine digits.
_BORN_SINCE_2000 = 2 * 10**9 % 97
#: By a month, what its days are below: 20 or 40 more are of BIS numbers, and none is unknown, as
#: the day then may be.
_BE_DAYS = bytes(
    0 if month >= 60 or month % 20 > 12 else 32 if month % 20 else 100 for month in range(256)
)
_FR_SEXES = among(1, 2, 3, 7, 8)
_FR_MONTHS = among(*range(1, 13), *range(20, 43), *range(50, 100))
#: France: 13 digits of which the seventh may be a letter: 2A counts as 19 and 2B as 18, a million
#: and two less than a 0 in the letter's place.
_FR_POWERS = powers(10, 13, 97)
_FR_BEFORE, _FR_BEHIND = Weights(_FR_POWERS[:6], 97), Weights(_FR_POWERS[7:], 97)
_FR_LESS = {LETTERS["A"]: -1, LETTERS["B"]: -2}
_FR_SEVENTH = bytes(_FR_LESS.get(one, one) * _FR_POWERS[6] % 97 for one in range(256))
_CORSICA = 2
_AE_CENTURIES = among(19, 20)


def mykad(runs: Runs) -> Mask:
    """Malaysia's MyKad: a day in the last century or this one, which has its leap years, a place,
    and no check digit: what is plausible is taken for one."""
    return is_date(runs, 2, runs.two(0) & 3 == 0) & is_among(runs.two(6), _MY_PLACES)


def is_taiwan(runs: Runs) -> Mask:
    """Taiwan's national identity card, and resident certificates of both forms."""
    return is_among(runs.one(1), _TW_SECONDS)


def taiwan(runs: Runs) -> Mask:
    """Its check digit."""
    letters = told(runs.one(0), _TW_FIRST) + told(runs.one(1), _TW_SECOND)
    return divides(10, _TW_REST.of(runs, 2) + letters)


def my_number(runs: Runs) -> Mask:
    """Japan's My Number: a check digit by 11, of which 10 and 11 are written 0."""
    check = runs.one(11)
    return remains(11, _JP_REST.of(runs) + check) <= (check == 0)


def is_china(runs: Runs) -> Mask:
    """The resident identity number of the People's Republic: province and day."""
    centuries, years = runs.two(6), runs.two(8)
    is_leap = (years & 3 == 0) & ((years > 0) | (centuries == 20))
    plausible = is_among(centuries, _CN_CENTURIES) & is_among(runs.two(0), _CN_PROVINCES)
    return plausible & is_date(runs, 10, is_leap)


def china(runs: Runs) -> Mask:
    """Its check digit: ISO 7064 MOD 11-2."""
    return remains(11, _CN_REST.of(runs) + told(runs.one(17), _CN_LAST)) == 1


def is_romania(runs: Runs) -> Mask:
    """Romania's CNP: sex and century, a day, a county."""
    first, years = runs.one(0), runs.two(1)
    is_leap = (years & 3 == 0) & ((years > 0) | (first >= _RO_SINCE_2000))
    return (first > 0) & is_among(runs.two(7), _RO_COUNTIES) & is_date(runs, 3, is_leap)


def romania(runs: Runs) -> Mask:
    """Its check digit by 11: 1 for 10 too."""
    check = runs.one(12)
    rest = remains(11, _RO_REST.of(runs) + 10 * check)
    return (rest == 0) | ((rest == 9) & (check == 1))


def is_belgium(runs: Runs) -> Mask:
    """Belgium's national number, and the BIS number of who is not registered: a day, parts of
    which may be unknown."""
    return runs.two(4) < told(runs.two(2), _BE_DAYS)


def belgium(runs: Runs) -> Mask:
    """Its check digits: 97 less what remains, of the number or with a 2 before it."""
    check = runs.two(9)
    rest = remains(97, _BE_NINE.of(runs) + check)
    return _is_97_less(check) & ((rest == 0) | (rest == -_BORN_SINCE_2000 % 97))


def is_france(runs: Runs) -> Mask:
    """France's NIR with its key: sex, a month (or one that says it is unknown), a department (2A
    and 2B of Corsica too)."""
    placed = (runs.one(6) < 10) | (runs.one(5) == _CORSICA)
    return placed & is_among(runs.one(0), _FR_SEXES) & is_among(runs.two(3), _FR_MONTHS)


def france(runs: Runs) -> Mask:
    """Its key: 97 less what remains."""
    seventh, key = told(runs.one(6), _FR_SEVENTH), runs.two(13)
    worth = _FR_BEFORE.of(runs) + seventh + _FR_BEHIND.of(runs, 7)
    return _is_97_less(key) & divides(97, worth + key)


def _is_97_less(check: Bytes) -> Mask:
    """Whether it is 97 less something by 97."""
    return check - 1 < 97  # of 0 that is 255


def is_emirates(runs: Runs) -> Mask:
    """The Emirates ID: 784 and a year. Its check digit is Luhn's."""
    begins = (runs.two(0) == 78) & (runs.one(2) == 4)
    return begins & is_among(runs.two(3), _AE_CENTURIES)

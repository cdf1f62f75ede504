"""Numbers that states give to persons: what each looks like, and how it proves itself.

`number` is always without what separates it, in capitals, of the right length.
"""

from inland.decide.guard.check_digits import (
    is_date,
    is_short_date,
    luhn,
    mod_11_2,
    weighted,
)

#: Malaysia: codes of places of birth that were ever given out (states, countries, regions).
_MY_PLACES = frozenset(
    {*range(1, 17), *range(21, 60), *range(60, 69), 71, 72, *range(74, 80), *range(82, 94), 98, 99}
)
#: Taiwan: each letter's number. I, O, W and Z were given theirs after the rest.
_TW_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))
_TW_WEIGHTS = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
_JP_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
#: China: provinces, by the first two digits of a place.
_CN_PROVINCES = frozenset(
    {
        *(11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46),
        *(50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83),
    }
)
_RO_WEIGHTS = (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)
#: Romania: by the first digit, the century of birth; residents (7 to 9) may be of either.
_RO_CENTURIES = {"1": (1900,), "2": (1900,), "3": (1800,), "4": (1800,), "5": (2000,), "6": (2000,)}
_RO_COUNTIES = frozenset({*range(1, 49), 51, 52, 70, *range(80, 84)})


def mykad(number: str) -> bool:
    """Malaysia's MyKad: a day, a place, and no check digit: what is plausible is taken for one."""
    return is_short_date(number[:6]) and int(number[6:8]) in _MY_PLACES


def taiwan(number: str) -> bool:
    """Taiwan's national identity card, and resident certificates of both forms: one check digit."""
    second = _TW_LETTERS[number[1]] % 10 if number[1].isalpha() else int(number[1])
    digits = f"{_TW_LETTERS[number[0]]}{second}{number[2:]}"
    return weighted(digits, _TW_WEIGHTS) % 10 == 0


def my_number(number: str) -> bool:
    """Japan's My Number: a check digit by 11."""
    rest = weighted(number[:11], _JP_WEIGHTS) % 11
    return int(number[11]) == (0 if rest <= 1 else 11 - rest)


def china(number: str) -> bool:
    """The resident identity number of the People's Republic: province, day, ISO 7064 MOD 11-2."""
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    plausible = 1800 <= year <= 2099 and is_date(year, month, day)
    return plausible and int(number[:2]) in _CN_PROVINCES and mod_11_2(number)


def romania(number: str) -> bool:
    """Romania's CNP: sex and century, a day, a county, and a check digit by 11."""
    centuries = _RO_CENTURIES.get(number[0], (1900, 2000))
    year, month, day = int(number[1:3]), int(number[3:5]), int(number[5:7])
    if not any(is_date(century + year, month, day) for century in centuries):
        return False
    check = weighted(number[:12], _RO_WEIGHTS) % 11
    return int(number[7:9]) in _RO_COUNTIES and int(number[12]) == (1 if check == 10 else check)


def belgium(number: str) -> bool:
    """Belgium's national number, and the BIS number of who is not registered: a day, parts of
    which may be unknown, and 97 less what remains, of the number or with a 2 before it."""
    raised, month = divmod(int(number[2:4]), 20)
    day = int(number[4:6])
    if raised > 2 or month > 12 or (month and day > 31):
        return False
    check = int(number[9:])
    return check in {97 - int(number[:9]) % 97, 97 - int(f"2{number[:9]}") % 97}


def france(number: str) -> bool:
    """France's NIR with its key: sex, a month (or one that says it is unknown), a department (2A
    and 2B of Corsica too), and 97 less what remains."""
    month = int(number[3:5])
    if not (1 <= month <= 12 or 20 <= month <= 42 or 50 <= month <= 99):
        return False
    department, worth = number[5:7], number[:13]
    for corsica, plain in (("2A", "19"), ("2B", "18")):
        if department == corsica:
            worth = f"{number[:5]}{plain}{number[7:13]}"
    return worth.isdigit() and 97 - int(worth) % 97 == int(number[13:])


def emirates(number: str) -> bool:
    """The Emirates ID: 784, a year, and a check digit after Luhn."""
    return 1900 <= int(number[3:7]) <= 2099 and luhn(number)

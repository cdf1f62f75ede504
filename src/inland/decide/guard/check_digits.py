"""How numbers prove themselves: check digits, dates in them, and what else can be plausible."""

from datetime import date

_LETTERS = {chr(ord("A") + at): 10 + at for at in range(26)}


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1: from the right, every second digit doubled."""
    doubled = "0246813579"
    others = sum(map(int, digits[-2::-2].translate(str.maketrans("0123456789", doubled))))
    return (sum(map(int, digits[::-2])) + others) % 10 == 0


def mod_97_10(text: str) -> bool:
    """ISO 7064 MOD 97-10 of letters and digits: what remains is 1."""
    digits = "".join(one if one.isdigit() else str(_LETTERS[one]) for one in text)
    return int(digits) % 97 == 1


def mod_11_2(text: str) -> bool:
    """ISO 7064 MOD 11-2: digits, the last of which may be X for 10."""
    check = 0
    for one in text:
        check = (2 * check + (10 if one == "X" else int(one))) % 11
    return check == 1


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """The sum of digits by their weights."""
    return sum(int(one) * weight for one, weight in zip(digits, weights, strict=True))


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there was such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_short_date(digits: str) -> bool:
    """Whether YYMMDD was a day in the last century or this one."""
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    return is_date(1900 + year, month, day) or is_date(2000 + year, month, day)

"""Recognisers: numbers of persons and of money, by what they look like and how they prove true.

A number is found as people write it, together or with a space or a hyphen where such are put, and
never inside a longer one: no letter from A to Z and no digit may touch it (other scripts put no
space there), nor a further group of digits that a hyphen or a full stop joins to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from inland.decide.guard import nationals, payments
from inland.decide.guard.forms import Form
from inland.decide.guard.signs import Mask, Places, Signs

#: Which of some numbers prove true: where they start and end among a text's signs.
Check = Callable[[Signs, Places, Places], Mask]


@dataclass(frozen=True, slots=True)
class Recogniser:
    """`says` what it is, and what it is not."""

    name: str
    says: str
    forms: tuple[Form, ...]
    check: Check


def _recogniser(
    name: str, check: Check, says: str, *forms: str | Form, caseless: bool = False
) -> Recogniser:
    made = (one if isinstance(one, Form) else Form.of(one, caseless=caseless) for one in forms)
    return Recogniser(name, says, tuple(made), check)


def _iban(length: int) -> Form:
    """An account's number of so many characters: together, or in fours."""
    heads = tuple(one for one, size in payments.IBAN_LENGTHS.items() if size == length)
    spelled = "aadd" + "".join(f" {'*' * min(4, length - at)}" for at in range(4, length, 4))
    return Form.of(spelled, heads=heads, caseless=True)


_MYKAD = "dddddd dd dddd"
_TAIWAN = "a tdd ddd ddd"
_MY_NUMBER = "dddd dddd dddd"
_CHINA = "dddddd dddddddd dddx"
_ROMANIA = "n dd dd dd dd ddd d"
_BELGIUM = "dd.dd.dd.ddd.dd"
_FRANCE = "s.dd.dd.db.ddd.ddd.dd"
_EMIRATES = "784 dddd ddddddd d"
_IBANS = tuple(map(_iban, sorted(set(payments.IBAN_LENGTHS.values()))))
#: Cards: in the groups that are printed on them, or together.
_CARDS = (
    *("cddd dddd dddd dddd ddd", "6ddddd ddddddddddddd", "cddd dddd dddd dddd"),
    *("3ddd dddddd ddddd", "3ddd dddddd dddd", "4ddd ddd ddd ddd"),
    *(f"c{'d' * more}" for more in (11, 12, 13, 14, 16, 17)),
)

RECOGNISERS: dict[str, Recogniser] = {
    one.name: one
    for one in (
        _recogniser(
            "mykad",
            nationals.mykad,
            "Malaysia's MyKad: a day and a place of birth that can be; it has no check digit",
            _MYKAD,
        ),
        _recogniser(
            "taiwan-id",
            nationals.taiwan,
            "Taiwan's national ID and resident certificates, old and new: a check digit",
            _TAIWAN,
            caseless=True,
        ),
        _recogniser(
            "my-number",
            nationals.my_number,
            "Japan's My Number: a check digit, so one in ten of all 12-digit numbers",
            _MY_NUMBER,
        ),
        _recogniser(
            "china-id",
            nationals.china,
            "the PRC's resident identity number: province, day of birth, a check character",
            _CHINA,
            caseless=True,
        ),
        _recogniser(
            "cnp",
            nationals.romania,
            "Romania's Cod Numeric Personal: day of birth, county, a check digit",
            _ROMANIA,
        ),
        _recogniser(
            "belgium-nn",
            nationals.belgium,
            "Belgium's national number, both centuries, and BIS numbers: two check digits",
            _BELGIUM,
        ),
        _recogniser(
            "france-nir",
            nationals.france,
            "France's NIR with its key, Corsica's 2A and 2B too: two check digits",
            _FRANCE,
            caseless=True,
        ),
        _recogniser(
            "emirates-id",
            nationals.emirates,
            "the Emirates ID: 784, a year, a check digit",
            _EMIRATES,
        ),
        _recogniser(
            "iban",
            payments.iban,
            "an IBAN: country, its length there, two check digits",
            *_IBANS,
            caseless=True,
        ),
        _recogniser(
            "card",
            payments.card,
            "a payment card: a network's range and lengths, a check digit",
            *_CARDS,
        ),
    )
}

"""Recognisers: numbers of persons and of money, by what they look like and how they prove true.

A number is found as people write it, together or with a space or a hyphen where such are put, and
never inside a longer one: no letter from A to Z and no digit may touch it (other scripts put no
space there), nor a further group of digits that a hyphen or a full stop joins to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from inland.decide.guard import nationals, payments
from inland.decide.guard.check_digits import luhn, mod_97_10
from inland.decide.guard.forms import Form
from inland.decide.guard.signs import Mask, Runs

#: Which of some runs of signs, that a form fits, prove true.
Check = Callable[[Runs], Mask]


@dataclass(frozen=True, slots=True)
class Recogniser:
    """`says` what it is, and what it is not. Its numbers pass all `checks`, the cheapest first."""

    name: str
    says: str
    forms: tuple[Form, ...]
    checks: tuple[Check, ...]


def _recogniser(
    name: str, *checks: Check, says: str, forms: tuple[str | Form, ...], caseless: bool = False
) -> Recogniser:
    made = (one if isinstance(one, Form) else Form.of(one, caseless=caseless) for one in forms)
    return Recogniser(name, says, tuple(made), checks)


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
            says="Malaysia's MyKad: a day and a place of birth that can be; it has no check digit",
            forms=(_MYKAD,),
        ),
        _recogniser(
            "taiwan-id",
            nationals.is_taiwan,
            nationals.taiwan,
            says="Taiwan's national ID and resident certificates, old and new: a check digit",
            forms=(_TAIWAN,),
            caseless=True,
        ),
        _recogniser(
            "my-number",
            nationals.my_number,
            says="Japan's My Number: a check digit, so one in ten of all 12-digit numbers",
            forms=(_MY_NUMBER,),
        ),
        _recogniser(
            "china-id",
            nationals.is_china,
            nationals.china,
            says="the PRC's resident identity number: province, day of birth, a check character",
            forms=(_CHINA,),
            caseless=True,
        ),
        _recogniser(
            "cnp",
            nationals.is_romania,
            nationals.romania,
            says="Romania's Cod Numeric Personal: day of birth, county, a check digit",
            forms=(_ROMANIA,),
        ),
        _recogniser(
            "belgium-nn",
            nationals.is_belgium,
            nationals.belgium,
            says="Belgium's national number, both centuries, and BIS numbers: two check digits",
            forms=(_BELGIUM,),
        ),
        _recogniser(
            "france-nir",
            nationals.is_france,
            nationals.france,
            says="France's NIR with its key, Corsica's 2A and 2B too: two check digits",
            forms=(_FRANCE,),
            caseless=True,
        ),
        _recogniser(
            "emirates-id",
            nationals.is_emirates,
            luhn,
            says="the Emirates ID: 784, a year, a check digit",
            forms=(_EMIRATES,),
        ),
        _recogniser(
            "iban",
            payments.is_account,
            mod_97_10,
            says="an IBAN: country, its length there, two check digits",
            forms=_IBANS,
            caseless=True,
        ),
        _recogniser(
            "card",
            payments.is_card,
            luhn,
            says="a payment card: a network's range and lengths, a check digit",
            forms=_CARDS,
        ),
    )
}

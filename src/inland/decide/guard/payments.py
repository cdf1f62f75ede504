"""Numbers that money is moved by: payment cards, and accounts (IBAN)."""

import numpy as np

from inland.decide.guard.signs import LETTERS, Bytes, Mask, Runs, Signs

#: Networks of cards: the first and the last of a range of beginnings, and how long numbers are.
_RANGES: tuple[tuple[str, str, range], ...] = (
    ("2200", "2204", range(16, 20)),  # Mir
    ("2221", "2720", range(16, 17)),  # Mastercard
    ("300", "305", range(14, 20)),  # Diners Club
    ("3095", "3095", range(14, 20)),
    ("34", "34", range(15, 16)),  # American Express
    ("3528", "3589", range(16, 20)),  # JCB
    ("36", "36", range(14, 20)),  # Diners Club
    ("37", "37", range(15, 16)),  # American Express
    ("38", "39", range(14, 20)),  # Diners Club
    ("4", "4", range(13, 20, 3)),  # Visa: 13, 16 or 19
    ("50", "50", range(12, 20)),  # Maestro
    ("51", "55", range(16, 17)),  # Mastercard
    ("56", "59", range(12, 20)),  # Maestro
    ("6011", "6011", range(16, 20)),  # Discover
    ("60", "60", range(16, 17)),  # RuPay
    ("62", "62", range(16, 20)),  # UnionPay
    ("63", "63", range(12, 20)),  # Maestro
    ("644", "649", range(16, 20)),  # Discover
    ("65", "65", range(16, 20)),  # Discover, RuPay
    ("67", "67", range(12, 20)),  # Maestro
    ("81", "82", range(16, 20)),  # UnionPay, RuPay
)
#: ISO 13616: how long an account's number is, by country, as the registry has it.
IBAN_LENGTHS: dict[str, int] = {
    country: length
    for length, countries in (
        (15, "NO"),
        (16, "BE"),
        (18, "DK FI FK FO GL NL SD"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU MN XK"),
        (21, "CH HR LI LV"),
        (22, "BG BH CR DE GB GE IE ME RS VA"),
        (23, "AE GI IL IQ OM SO TL"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
        (25, "LY PT ST"),
        (26, "IS TR"),
        (27, "BI DJ FR GR IT MC MR SM"),
        (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU YE"),
        (31, "MT SC"),
        (32, "LC"),
        (33, "RU"),
    )
    for country in countries.split()
}
#: The least digits that a card has: a bit for each length from there on.
_LEAST_DIGITS = 12
#: Letters and digits: how many signs there are.
_SIGNS = 10 + len(LETTERS)


def _lengths_of_cards() -> Bytes:
    """By the first four digits, a bit for each length that cards beginning so have."""
    lengths = np.zeros(10_000, np.uint8)
    for low, high, some in _RANGES:
        first, last = int(low.ljust(4, "0")), int(high.ljust(4, "9"))
        lengths[first : last + 1] |= sum(1 << length - _LEAST_DIGITS for length in some)
    return lengths


def _lengths_of_accounts() -> Bytes:
    """By the first two letters, how long an account is that begins so; 0: none does."""
    lengths = np.zeros(_SIGNS * _SIGNS, np.uint8)
    for head, length in IBAN_LENGTHS.items():
        lengths[_SIGNS * LETTERS[head[0]] + LETTERS[head[1]]] = length
    return lengths


_CARDS, _ACCOUNTS = _lengths_of_cards(), _lengths_of_accounts()


def is_card(runs: Runs) -> Mask:
    """Whether a network has cards that begin so and are so long."""
    return _CARDS[runs.four(0)] >> runs.length - _LEAST_DIGITS & 1 > 0


def is_account(runs: Runs) -> Mask:
    """Whether a country of the registry has accounts that begin so and are so long."""
    return runs.of(runs.signs.once(_accounts), 0) == runs.length


def _accounts(signs: Signs) -> Bytes:
    """From each place on, how long an account would be."""
    codes = signs.codes.astype(np.uint16)
    return _ACCOUNTS[_SIGNS * codes[:-1] + codes[1:]]

"""Numbers that money is moved by: payment cards, and accounts (IBAN)."""

from inland.decide.guard.check_digits import luhn, mod_97_10

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


def card(number: str) -> bool:
    """A payment card of a known network, of a length that network has, by Luhn."""
    for low, high, lengths in _RANGES:
        if low <= number[: len(low)] <= high and len(number) in lengths:
            return luhn(number)
    return False


def iban(number: str) -> bool:
    """An account of a country in the registry, as long as they are there, by MOD 97-10."""
    right = IBAN_LENGTHS.get(number[:2]) == len(number) and number[2:4].isdigit()
    return right and mod_97_10(number[4:] + number[:4])


def iban_forms() -> str:
    """What an IBAN looks like: together, or in fours; a pattern."""
    by_length: dict[int, list[str]] = {}
    for country, length in IBAN_LENGTHS.items():
        by_length.setdefault(length, []).append(country)
    ways = []
    for length, countries in sorted(by_length.items()):
        fours, rest = divmod(length - 4, 4)
        last = f"[ -]?[A-Z0-9]{{{rest}}}" if rest else ""
        some = "|".join(countries)
        ways.append(rf"(?:{some})\d{{2}}(?:[ -]?[A-Z0-9]{{4}}){{{fours}}}{last}")
    return "|".join(ways)

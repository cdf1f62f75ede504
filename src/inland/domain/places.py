"""Places and the jurisdictions over them.

A place has two jurisdictions: where it stands and who operates it. Codes are ISO 3166-1 alpha-2,
groups of them (`EU`, `EEA`), `ZZ` for unknown, and `WORLD`, which covers every place, `ZZ` too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "ZZ"
WORLD = "WORLD"

#: Members of the European Union since 2020-02-01 (europa.eu, "EU countries").
_EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
)
#: The European Economic Area: the EU with Iceland, Liechtenstein and Norway (EEA Agreement).
GROUPS: dict[str, frozenset[str]] = {"EU": _EU, "EEA": _EU | {"IS", "LI", "NO"}}

_COUNTRY = re.compile(r"[A-Z]{2}\Z")


class Known(StrEnum):
    """How a jurisdiction of a place is known; records say which."""

    DECLARED = "declared"
    MEASURED = "measured"
    ATTESTED = "attested"


@dataclass(frozen=True, slots=True)
class Place:
    """Where work is done: `stands` and `operated` are country codes or `ZZ`, never groups."""

    id: str
    stands: str
    operated: str
    known: Known = Known.DECLARED


def is_country(code: str) -> bool:
    """Whether `code` can stand for one country (or `ZZ`); groups cannot be stood in."""
    return _COUNTRY.match(code) is not None and code not in GROUPS


def is_jurisdiction(code: str) -> bool:
    """Whether `code` may appear in a label: a country, `ZZ`, a group, or `WORLD`."""
    return code == WORLD or code in GROUPS or is_country(code)


def covering(country: str) -> frozenset[str]:
    """Every label code that covers `country`: itself, the groups it is in, and `WORLD`."""
    return frozenset({country, WORLD}) | {
        name for name, members in GROUPS.items() if country in members
    }


def reach(codes: Iterable[str]) -> frozenset[str]:
    """The countries that label codes cover; `WORLD` alone, which is more than any list of them."""
    given = frozenset(codes)
    if WORLD in given:
        return frozenset({WORLD})
    return frozenset().union(*(GROUPS.get(code, {code}) for code in given))


def canonical_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """The one way to write what codes cover: the greatest groups in it, then what is left."""
    covered = reach(codes)
    inside = [name for name, members in GROUPS.items() if members <= covered]
    greatest = [one for one in inside if not any(GROUPS[one] < GROUPS[other] for other in inside)]
    left = covered.difference(*(GROUPS[name] for name in greatest))
    return (*sorted(greatest), *sorted(left))


def common_codes(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """What both cover, by countries and canonical: `EU` and `BE` have `BE` in common."""
    these, those = reach(one), reach(other)
    if WORLD in these:
        return canonical_codes(those)
    return canonical_codes(these if WORLD in those else these & those)


def includes(wide: Iterable[str], narrow: Iterable[str]) -> bool:
    """Whether `wide` covers all that `narrow` does."""
    covered = reach(wide)
    return WORLD in covered or reach(narrow) <= covered

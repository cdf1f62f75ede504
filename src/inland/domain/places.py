"""Places and the jurisdictions over them.

A place has two jurisdictions: where it stands and who operates it. Codes are ISO 3166-1 alpha-2,
groups of them (`EU`, `EEA`), `ZZ` for unknown, and `WORLD`, which covers every place, `ZZ` too.
"""

import re
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

"""Labels as people give them, checked: the codes are known and something is covered."""

from collections.abc import Iterable

from inland.domain.errors import BadInput
from inland.domain.labels import Classification, Label, Purpose
from inland.domain.places import Place, is_country, is_jurisdiction

MAX_JURISDICTIONS = 64


def checked_label(
    owner: str,
    jurisdictions: Iterable[str],
    classification: str = Classification.INTERNAL,
    purposes: Iterable[str] = (Purpose.SERVE,),
) -> Label:
    """A label from text. Raises BadInput naming what is wrong."""
    codes = checked_codes("jurisdictions", jurisdictions)
    try:
        uses = tuple(dict.fromkeys(Purpose(purpose) for purpose in purposes))
        return Label(owner, codes, Classification(classification), uses)
    except ValueError as error:
        raise BadInput("label", str(error)) from None


def checked_codes(field: str, jurisdictions: Iterable[str]) -> tuple[str, ...]:
    """Jurisdictions from text. Raises BadInput naming what is wrong."""
    codes = tuple(dict.fromkeys(code.strip().upper() for code in jurisdictions))
    if not 0 < len(codes) <= MAX_JURISDICTIONS:
        raise BadInput(field, f"give 1 to {MAX_JURISDICTIONS} codes")
    for code in codes:
        if not is_jurisdiction(code):
            raise BadInput(field, f"{code!r} is no ISO 3166-1 alpha-2 code, EU, EEA, ZZ or WORLD")
    return codes


def checked_place(place: str, stands: str, operated: str | None = None) -> Place:
    """A declared place; whoever stands somewhere is operated from there unless said otherwise.

    Raises BadInput for anything but country codes and ZZ: nobody stands in a group.
    """
    where = stands.strip().upper()
    who = (operated or stands).strip().upper()
    for field, code in (("jurisdiction", where), ("operator", who)):
        if not is_country(code):
            raise BadInput(field, f"{code!r} is no ISO 3166-1 alpha-2 code and not ZZ")
    return Place(place, where, who)

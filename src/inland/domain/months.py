"""Months of UTC, which invoices and reports are about."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from inland.domain.budgets import Period
from inland.domain.errors import BadInput

#: The years there are: a month of them ends at a moment that a date can name.
_FIRST, _LAST = 1970, 9998
_NAME = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of UTC: its name as YYYY-MM, when it begins, and when it ends."""

    name: str
    since_unix_s: int
    until_unix_s: int


def month_of(name: str) -> Month:
    """The month called YYYY-MM. Raises BadInput."""
    found = _NAME.fullmatch(name)
    if found is None or not _FIRST <= int(found[1]) <= _LAST:
        raise BadInput("month", f"{name!r} is no month such as 2026-11")
    began = int(datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC).timestamp())
    return Month(name, began, Period.MONTH.ends(began))


def month_at(unix_s: int) -> Month:
    """The month that holds a moment."""
    return month_of(datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m"))

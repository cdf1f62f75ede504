"""Budgets: how much a tenant, or one of its keys, may use in a day or a month. All in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

#: The unit of budgets that count tokens; every other unit is a currency's code.
TOKENS = "tokens"
#: The code of a refusal because a hard budget has no room.
OVER_BUDGET = "insufficient_quota"
DAY_S = 86_400


class Period(StrEnum):
    """What a budget is for; it begins and ends at midnight UTC."""

    DAY = "day"
    MONTH = "month"

    def began(self, unix_s: int) -> int:
        """When the period that holds a moment began, in Unix seconds."""
        if self is Period.DAY:
            return unix_s - unix_s % DAY_S
        return int(_midnight(unix_s).replace(day=1).timestamp())

    def ends(self, unix_s: int) -> int:
        """When it is over: the first second that is not in it."""
        if self is Period.DAY:
            return self.began(unix_s) + DAY_S
        later = _midnight(unix_s).replace(day=1) + timedelta(days=31)
        return int(later.replace(day=1).timestamp())


def _midnight(unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s - unix_s % DAY_S, UTC)


@dataclass(frozen=True, slots=True)
class Budget:
    """Of all of `tenant`'s keys together (`key` None), or of one.

    `unit`: `TOKENS`, or a currency, whose budget holds what is priced in it. `limit`: tokens, or
    minor units of the currency. `soft_percent`: where it is worth a warning. `hard`: requests that
    could pass it are refused. There is one of each tenant, key, unit and period.
    """

    tenant: str
    key: str | None
    unit: str
    period: Period
    limit: int
    soft_percent: int
    hard: bool = False

    @property
    def id(self) -> str:
        return budget_id(self.tenant, self.key, self.unit, self.period)


def budget_id(tenant: str, key: str | None, unit: str, period: Period) -> str:
    """What tells one budget from the others; no part of it has a slash in it."""
    return f"{tenant}/{key or '*'}/{unit}/{period.value}"

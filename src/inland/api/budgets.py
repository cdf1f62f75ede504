"""/factory/v1/budgets: set by operators, seen with what was used by whose they are."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.domain.budgets import TOKENS, Budget, Period, budget_id
from inland.domain.currencies import minor_of, shown, shown_micros
from inland.domain.errors import BadInput
from inland.plant.budgets import MOST, Standing, Used

router = APIRouter(prefix="/factory/v1/budgets", tags=["budgets"])

#: How far one request under way may pass a hard budget, in tokens: what is believed of an engine
#: that counts a prompt at more tokens than its request has bytes.
OVERSHOOT_TOKENS = 4096
_PICOS_A_MICRO = 10**6


class NewBudget(Shape):
    """A budget of a tenant, or of one of its keys. `amount`: tokens, or money as `12.50`."""

    tenant: str = Field(max_length=63)
    key: str | None = Field(default=None, max_length=63)
    unit: str = Field(default=TOKENS, max_length=6, description="`tokens`, or a currency's code.")
    amount: str = Field(max_length=20)
    period: Period
    soft_percent: int = Field(default=80, ge=1, le=100)
    hard: bool = False


class BudgetView(Shape):
    """A budget in the period that runs (UTC; `since` and `until` in Unix seconds). `used`: what is
    booked. `overshoot_tokens_per_request`: how far each request under way may pass it."""

    tenant: str
    key: str | None
    unit: str
    period: Period
    amount: str
    used: str
    soft_percent: int
    hard: bool
    standing: Standing
    since: int
    until: int
    overshoot_tokens_per_request: int | None

    @classmethod
    def of(cls, one: Used) -> Self:
        """A budget as it is shown."""
        budget = one.budget
        in_tokens = budget.unit == TOKENS
        return cls(
            tenant=budget.tenant,
            key=budget.key,
            unit=budget.unit,
            period=budget.period,
            amount=str(budget.limit) if in_tokens else shown(budget.limit, budget.unit),
            used=str(one.used) if in_tokens else shown_micros(one.used // _PICOS_A_MICRO),
            soft_percent=budget.soft_percent,
            hard=budget.hard,
            standing=one.standing,
            since=one.began_unix_s,
            until=one.ends_unix_s,
            overshoot_tokens_per_request=OVERSHOOT_TOKENS if budget.hard else None,
        )


@router.get("", responses=may(404))
def budgets(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("budgets.list"))],
    tenant: str | None = None,
) -> list[BudgetView]:
    """Budgets and what was used of them: all, one tenant's, or the caller's tenant's."""
    control: Control = request.app.state.control
    return [BudgetView.of(one) for one in control.budgets.all(caller.reach(tenant))]


@router.post("", status_code=201, responses=may(400, 404, 409))
def set_(
    request: Request,
    body: NewBudget,
    caller: Annotated[Caller, Depends(caller_for("budgets.set"))],
) -> BudgetView:
    """Set a budget, or the one with its names anew; answers when every gateway has it."""
    control: Control = request.app.state.control
    limit = _limit(body.unit, body.amount)
    budget = Budget(
        *(body.tenant, body.key, body.unit, body.period, limit, body.soft_percent, body.hard)
    )
    control.budgets.set(caller.name, budget)
    (made,) = [one for one in control.budgets.all(body.tenant) if one.budget.id == budget.id]
    return BudgetView.of(made)


@router.delete("", status_code=204, responses=may(404))
def remove(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("budgets.remove"))],
    tenant: str,
    period: Period,
    key: str | None = None,
    unit: str = TOKENS,
) -> None:
    """Hold a budget no more."""
    control: Control = request.app.state.control
    control.budgets.remove(caller.name, budget_id(tenant, key, unit, period))


def _limit(unit: str, amount: str) -> int:
    if unit != TOKENS:
        return minor_of(amount, unit, "amount")
    if not (amount.isascii() and amount.isdecimal()) or int(amount) > MOST:
        raise BadInput("amount", f"{amount!r} is not a number of tokens, 0 to {MOST:,}")
    return int(amount)

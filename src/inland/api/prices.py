"""/factory/v1/prices. Decimal numbers are strings: no reader makes a float of one."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.domain.currencies import micros_of, shown_micros
from inland.domain.pricing import Price

router = APIRouter(prefix="/factory/v1/prices", tags=["prices"])

#: When the year 10000 begins, which no date can name, in Unix seconds.
YEAR_10000_S = 253_402_300_800
_Amount = Annotated[str, Field(max_length=20, description="Of the currency's unit, as `0.15`.")]


class NewPrice(Shape):
    """A price for a million tokens of each kind. `since`: Unix seconds."""

    deployment: str = Field(max_length=63)
    currency: str = Field(max_length=3)
    prompt: _Amount
    cached: _Amount | None = Field(default=None, description="Without it, as `prompt`.")
    completion: _Amount
    since: int | None = Field(default=None, ge=0, lt=YEAR_10000_S)


class PriceView(Shape):
    """A price for a million tokens, in force from `since` (Unix seconds) until the deployment's
    next one begins. `…_micros`: the same in millionths of the currency's unit."""

    deployment: str
    since: int
    currency: str
    prompt: str
    cached: str
    completion: str
    prompt_micros: int
    cached_micros: int
    completion_micros: int

    @classmethod
    def of(cls, price: Price) -> Self:
        """A price as it is shown."""
        return cls(
            deployment=price.deployment,
            since=price.since_unix_s,
            currency=price.currency,
            prompt=shown_micros(price.prompt_micros),
            cached=shown_micros(price.cached_micros),
            completion=shown_micros(price.completion_micros),
            prompt_micros=price.prompt_micros,
            cached_micros=price.cached_micros,
            completion_micros=price.completion_micros,
        )


@router.get("")
def prices(
    request: Request, caller: Annotated[Caller, Depends(caller_for("prices.list"))]
) -> list[PriceView]:
    """Every price there ever was, by deployment, the earliest first."""
    del caller
    control: Control = request.app.state.control
    return [PriceView.of(one) for held in control.prices.all().values() for one in held]


@router.post("", status_code=201, responses=may(400, 404, 409))
def set_(
    request: Request,
    body: NewPrice,
    caller: Annotated[Caller, Depends(caller_for("prices.set"))],
) -> PriceView:
    """Set a price from a moment on; answers when every gateway knows it."""
    control: Control = request.app.state.control
    prompt = micros_of(body.prompt, "prompt")
    cached = prompt if body.cached is None else micros_of(body.cached, "cached")
    micros = (prompt, cached, micros_of(body.completion, "completion"))
    price = control.prices.set(caller.name, body.deployment, micros, body.currency, body.since)
    return PriceView.of(price)

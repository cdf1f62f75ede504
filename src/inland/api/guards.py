"""/factory/v1/guards: what is looked for in what tenants send and are answered."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.decide.guard.patterns import TEXT_CHARACTERS
from inland.domain.guards import Act, Guard, Side
from inland.plant.guards import MOST_LOOKED_FOR

router = APIRouter(prefix="/factory/v1/guards", tags=["guards"])

_Pattern = Annotated[str, Field(max_length=TEXT_CHARACTERS)]


class NewGuard(Shape):
    """A guard: recognisers it `finds`, and `patterns`; of every deployment and tenant, unless
    named. `on`: requests, answers, or both."""

    name: str = Field(max_length=63)
    act: Act
    finds: list[str] = Field(default=[], max_length=MOST_LOOKED_FOR)
    patterns: list[_Pattern] = Field(default=[], max_length=MOST_LOOKED_FOR)
    on: list[Side] = Field(default=[Side.INPUT, Side.OUTPUT], min_length=1, max_length=2)
    deployment: str | None = Field(default=None, max_length=63)
    tenant: str | None = Field(default=None, max_length=63)


class GuardView(NewGuard):
    """A guard in force. `declared`: by factory.toml, and changed only there."""

    declared: bool

    @classmethod
    def of(cls, guard: Guard) -> Self:
        """A guard as it is shown."""
        return cls(
            name=guard.name,
            act=guard.act,
            finds=list(guard.finds),
            patterns=list(guard.patterns),
            on=list(guard.on),
            deployment=guard.deployment,
            tenant=guard.tenant,
            declared=guard.declared,
        )


@router.get("")
def guards(
    request: Request, caller: Annotated[Caller, Depends(caller_for("guards.list"))]
) -> list[GuardView]:
    """Every guard, by name."""
    del caller
    control: Control = request.app.state.control
    return [GuardView.of(one) for one in control.guards.all()]


@router.post("", status_code=201, responses=may(400, 404, 409))
def set_(
    request: Request,
    body: NewGuard,
    caller: Annotated[Caller, Depends(caller_for("guards.set"))],
) -> GuardView:
    """Set a guard, or the one of its name anew; answers when every gateway looks by it."""
    control: Control = request.app.state.control
    guard = Guard(
        body.name,
        body.act,
        tuple(dict.fromkeys(body.finds)),
        tuple(dict.fromkeys(body.patterns)),
        tuple(side for side in Side if side in body.on),
        body.deployment,
        body.tenant,
    )
    return GuardView.of(control.guards.set(caller.name, guard))


@router.delete("/{name}", status_code=204, responses=may(404, 409))
def remove(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("guards.remove"))],
) -> None:
    """Look no more by a guard; answers when no gateway does."""
    control: Control = request.app.state.control
    control.guards.remove(caller.name, name)

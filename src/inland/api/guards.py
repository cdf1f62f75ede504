"""/factory/v1/guards: what is looked for in what tenants send and are answered."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.decide.guard.patterns import TEXT_CHARACTERS
from inland.domain.errors import BadInput
from inland.domain.guards import CATEGORY_CHARACTERS, Act, Guard, Question, Side
from inland.plant.guards import MOST_LOOKED_FOR

router = APIRouter(prefix="/factory/v1/guards", tags=["guards"])

_Pattern = Annotated[str, Field(max_length=TEXT_CHARACTERS)]


class NewGuard(Shape):
    """A guard: recognisers it `finds`, `patterns`, and a `classifier` (a deployment) that is asked
    whether a text has something of a `category`; of every deployment and tenant, unless named.
    `on`: requests, answers, or both. `fails`: what the classifier's silence comes to."""

    name: str = Field(max_length=63)
    act: Act
    finds: list[str] = Field(default=[], max_length=MOST_LOOKED_FOR)
    patterns: list[_Pattern] = Field(default=[], max_length=MOST_LOOKED_FOR)
    on: list[Side] = Field(default=[Side.INPUT, Side.OUTPUT], min_length=1, max_length=2)
    deployment: str | None = Field(default=None, max_length=63)
    tenant: str | None = Field(default=None, max_length=63)
    classifier: str | None = Field(default=None, max_length=63)
    category: str | None = Field(default=None, max_length=CATEGORY_CHARACTERS)
    fails: Literal["closed", "open"] = "closed"

    def asks(self) -> Question | None:
        """What its classifier is asked. Raises BadInput for one without the other."""
        if self.classifier is None and self.category is None:
            return None
        if self.classifier is None or self.category is None:
            raise BadInput(f"guard {self.name}", "name a classifier and a category, or neither")
        return Question(self.classifier, self.category, fails_open=self.fails == "open")


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
            classifier=None if guard.asks is None else guard.asks.deployment,
            category=None if guard.asks is None else guard.asks.category,
            fails="open" if guard.asks is not None and guard.asks.fails_open else "closed",
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
        asks=body.asks(),
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

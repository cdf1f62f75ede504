"""/factory/v1/egress: where the factory itself connected to, and by which rule."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.shapes import Shape
from inland.plant.outbound import Used

router = APIRouter(prefix="/factory/v1/egress", tags=["egress"])


class UseView(Shape):
    """A way out and how often it was used, from `since` to `last` (Unix seconds), by `who` of the
    factory's processes. `rules`: the ids that let it pass; none: it was refused each time."""

    endpoint: str
    why: str
    who: str
    rules: list[str]
    count: int
    since: int
    last: int

    @classmethod
    def of(cls, used: Used) -> Self:
        """A way out as it is shown."""
        return cls(
            endpoint=used.way.endpoint,
            why=used.way.why,
            who=used.way.who,
            rules=used.way.rules.split(),
            count=used.count,
            since=used.since_unix_s,
            last=used.last_unix_s,
        )


@router.get("")
def egress(
    request: Request, caller: Annotated[Caller, Depends(caller_for("egress.list"))]
) -> list[UseView]:
    """Every way out in the last 200,000 entries of the site log."""
    del caller
    control: Control = request.app.state.control
    return [UseView.of(one) for one in control.outbound.uses()]

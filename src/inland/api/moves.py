"""/factory/v1/assets/ID/move: content of an asset brought to another store."""

from dataclasses import asdict
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.assets import AssetId
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.plant.moves import Move, MoveStage

router = APIRouter(prefix="/factory/v1/assets", tags=["assets"])


class NewMove(Shape):
    """The store to bring its content to; the one where it lies, to take a move back."""

    to: str = Field(min_length=1, max_length=63)


class MoveView(Shape):
    """How far a move is. `why`: it was undone, or waits and is gone on with. `record`: the id of
    the one that says that it is over; null while it is not, or where nothing was to be done."""

    asset: str
    source: str
    destination: str
    stage: MoveStage
    done_bytes: int
    total_bytes: int
    why: str
    record: str | None

    @classmethod
    def of(cls, move: Move) -> Self:
        """A move as it is shown."""
        return cls(**{**asdict(move), "record": move.record or None})


@router.post("/{asset}/move", status_code=202, responses=may(400, 404, 409))
def move(
    request: Request,
    asset: AssetId,
    body: NewMove,
    caller: Annotated[Caller, Depends(caller_for("assets.move"))],
) -> MoveView:
    """Begin to bring its content to another store, which is a decision with a destination."""
    control: Control = request.app.state.control
    return MoveView.of(control.assets.moves.move(caller.key, asset, body.to))


@router.get("/{asset}/move", responses=may(404))
def moved(
    request: Request,
    asset: AssetId,
    caller: Annotated[Caller, Depends(caller_for("assets.moved"))],
) -> MoveView:
    """How far its move is, or how the last one since control began came out."""
    control: Control = request.app.state.control
    return MoveView.of(control.assets.moves.last(caller.key, asset))

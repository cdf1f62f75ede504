"""/factory/v1/log: what the operator does with the site log, which is to rotate its key."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.shapes import Shape

router = APIRouter(prefix="/factory/v1/log", tags=["log"])


class Rotation(Shape):
    """Why the log's key is rotated: by plan, or because somebody else may have it."""

    why: Literal["scheduled", "compromised"] = "scheduled"


class Rotated(Shape):
    """The new log's public key, the one before, and the record that leads from that to it."""

    vkey: str
    before: str
    reference: str


@router.post("/rotate-key")
def rotate(
    request: Request,
    body: Rotation,
    caller: Annotated[Caller, Depends(caller_for("log.rotate"))],
) -> Rotated:
    """End the log and its key; answers when a new log has begun, signed by a new one."""
    control: Control = request.app.state.control
    before = control.books.vkey
    reference = control.books.rotate_log_key(caller.name, body.why)
    return Rotated(vkey=control.books.vkey, before=before, reference=reference)

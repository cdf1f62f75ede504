"""/factory/v1/policies: what is in force, applying a set, explaining a decision."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import unseen
from inland.api.waiting import wait_for
from inland.domain.errors import BadInput
from inland.plant.explain import Question

router = APIRouter(prefix="/factory/v1/policies", tags=["policies"])


class PolicySet(BaseModel):
    """Every file of a set, by name."""

    model_config = ConfigDict(extra="forbid")
    files: dict[str, str] = Field(min_length=1, max_length=65)


class Asked(BaseModel):
    """A receipt's reference; or who (a key's id or a tenant), what for, what, and where."""

    model_config = ConfigDict(extra="forbid")
    ref: str | None = Field(default=None, max_length=128)
    who: str | None = Field(default=None, max_length=128)
    tenant: str | None = Field(default=None, max_length=63)
    key: str | None = Field(default=None, max_length=64)
    action: str = Field(default="serve", max_length=16)
    deployment: str | None = Field(default=None, max_length=63)
    model: str | None = Field(default=None, max_length=256)
    place: str | None = Field(default=None, max_length=16)


@router.get("")
def policies(
    request: Request, caller: Annotated[Caller, Depends(caller_for("policies.list"))]
) -> dict[str, Any]:
    """The set in force, and which files of the folder differ from it."""
    del caller
    control: Control = request.app.state.control
    digest, files = control.policies.in_force()
    return {"digest": digest, "files": files, "differs": control.policies.drift()}


@router.post("")
def apply(
    request: Request,
    body: PolicySet,
    caller: Annotated[Caller, Depends(caller_for("policies.apply"))],
) -> dict[str, Any]:
    """Decide by this set; answers when every gateway does. Whole or not at all."""
    control: Control = request.app.state.control
    return {"digest": control.policies.apply(caller.name, body.files)}


@router.post("/explain", response_model=None)
async def explain(
    request: Request,
    body: Asked,
    caller: Annotated[Caller, Depends(caller_for("policies.explain"))],
) -> dict[str, Any] | Response:
    """Which policy decided then (a record is waited for as receipts are), or would decide now."""
    del caller
    control: Control = request.app.state.control
    if body.ref is not None:
        ref = body.ref
        told = await wait_for(request, lambda: control.explain.record(ref))
        return unseen() if told is None else told
    who = body.key or body.who or body.tenant
    if who is None:
        raise BadInput("who", "give a receipt's reference, or a key or a tenant")
    asked = Question(who, body.action, body.deployment, body.model, body.place)
    return await run_in_threadpool(control.explain.question, asked)

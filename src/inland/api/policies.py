"""/factory/v1/policies: what is in force, applying a set, explaining a decision."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may, unseen
from inland.api.shapes import LabelView, PlaceView, Shape
from inland.api.waiting import wait_for
from inland.domain.errors import BadInput
from inland.plant.explain import Question

router = APIRouter(prefix="/factory/v1/policies", tags=["policies"])


class PolicySet(Shape):
    """Every file of a set, by name."""

    files: dict[str, str] = Field(min_length=1, max_length=65)


class Asked(Shape):
    """A receipt's reference; or who (a key's id or a tenant), what for, what (a deployment, a model
    or an asset), where, and where to."""

    ref: str | None = Field(default=None, max_length=128)
    who: str | None = Field(default=None, max_length=128)
    tenant: str | None = Field(default=None, max_length=63)
    key: str | None = Field(default=None, max_length=64)
    action: str = Field(default="serve", max_length=16)
    deployment: str | None = Field(default=None, max_length=63)
    model: str | None = Field(default=None, max_length=256)
    place: str | None = Field(default=None, max_length=16)
    asset: str | None = Field(default=None, max_length=64)
    destination: str | None = Field(default=None, max_length=16)


class PoliciesView(Shape):
    """The set in force by file; `differs`: files of the folder that are not as in force."""

    digest: str
    files: dict[str, str]
    differs: list[str]


class Applied(Shape):
    """The set that is in force now."""

    digest: str


class _Explained(Shape):
    decision: Literal["allow", "deny"]
    decided_by: list[str]
    rules: dict[str, str]
    policy: str
    action: str
    deployment: str | None
    asset: str | None
    destination: PlaceView | None


class ExplainedRecord(_Explained):
    """What was decided for a record then, from what the record says. `time`: Unix microseconds."""

    reference: str
    kind: str
    time: int
    snapshot: int | None
    tenant: str | None
    key: str | None
    model: str | None
    place: PlaceView | None
    label: LabelView | None
    model_label: dict[str, Any] | None


class ExplainedQuestion(_Explained):
    """What would be decided now. `visible`: whether the caller may know of it at all."""

    remedy: str
    visible: bool
    snapshot: int
    who: str
    model: str | None
    place: PlaceView


@router.get("")
def policies(
    request: Request, caller: Annotated[Caller, Depends(caller_for("policies.list"))]
) -> PoliciesView:
    """The set in force, and which files of the folder differ from it."""
    del caller
    control: Control = request.app.state.control
    digest, files = control.policies.in_force()
    return PoliciesView(digest=digest, files=files, differs=control.policies.drift())


@router.post("", responses=may(400))
def apply(
    request: Request,
    body: PolicySet,
    caller: Annotated[Caller, Depends(caller_for("policies.apply"))],
) -> Applied:
    """Decide by this set; answers when every gateway does. Whole or not at all."""
    control: Control = request.app.state.control
    return Applied(digest=control.policies.apply(caller.name, body.files))


@router.post(
    "/explain", response_model=ExplainedRecord | ExplainedQuestion, responses=may(400, 404)
)
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
    what = (body.deployment, body.model, body.place, body.asset, body.destination)
    asked = Question(who, body.action, *what)
    return await run_in_threadpool(control.explain.question, asked)

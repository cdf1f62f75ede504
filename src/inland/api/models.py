"""/factory/v1/models: the model assets, and bringing one in."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import LabelView, Shape
from inland.domain.errors import NotFound
from inland.domain.plant import Model
from inland.plant.pulls import Pull, PullStage
from inland.ports.intake import Order, Provenance

router = APIRouter(prefix="/factory/v1", tags=["models"])

_TEXT_CHARS = 2000


class ModelView(LabelView):
    """A model asset with its label. `signature`: `valid`, or why it is not; null where its weights
    are not here. `source`, `format`, `parameters`, `inspected_under` (what held in the child that
    read its file first; `none` where the kernel can hold nothing): as its signed bill says."""

    id: str
    owner: str
    shared_with: list[str]
    digest: str | None
    licence: str | None
    declared: bool
    signature: str | None
    source: str | None
    format: str | None
    parameters: int | None
    inspected_under: str | None

    @classmethod
    def of_model(cls, model: Model, kept: Provenance | None) -> Self:
        """A model as it is shown."""
        return cls(
            **LabelView.of(model.label).model_dump(),
            id=model.id,
            owner=model.label.owner,
            shared_with=list(model.shared_with),
            digest=model.digest,
            licence=model.licence,
            declared=model.declared,
            signature=kept.signature if kept else None,
            source=kept.source or None if kept else None,
            format=kept.kind or None if kept else None,
            parameters=kept.parameters or None if kept else None,
            inspected_under=kept.inspected_under or None if kept else None,
        )


class PullOrder(Shape):
    """A model to bring in. `source`: `file:PATH`, `hf:ORG/REPO/FILE@REVISION`,
    `pypi:NAME==VERSION/MEMBER` or `s3:BUCKET/KEY`. `secret`: a hub's token or a store's ID:SECRET,
    kept nowhere."""

    name: str
    source: str = Field(max_length=_TEXT_CHARS)
    sha256: str | None = None
    licence: str = Field(default="", max_length=100)
    endpoint: str = Field(default="", max_length=_TEXT_CHARS)
    region: str = Field(default="", max_length=64)
    secret: str = Field(default="", max_length=_TEXT_CHARS)


class PullView(Shape):
    """How far a pull is. `total_bytes`: 0 where it is not known. `why`: it failed."""

    name: str
    source: str
    stage: PullStage
    done_bytes: int
    total_bytes: int
    why: str

    @classmethod
    def of(cls, pull: Pull) -> Self:
        """A pull as it is shown."""
        return cls(
            name=pull.name,
            source=pull.source,
            stage=pull.stage,
            done_bytes=pull.done_bytes,
            total_bytes=pull.total_bytes,
            why=pull.why,
        )


def _view(control: Control, model: Model) -> ModelView:
    kept = None if model.file is None or model.asset else control.pulls.provenance(model)
    return ModelView.of_model(model, kept)


@router.get("/models")
def models(
    request: Request, caller: Annotated[Caller, Depends(caller_for("models.list"))]
) -> list[ModelView]:
    """All model assets."""
    del caller
    control: Control = request.app.state.control
    return [_view(control, model) for model in control.models.all()]


@router.get("/models/{name}", responses=may(404))
def one(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("models.show"))],
) -> ModelView:
    """One model asset."""
    del caller
    control: Control = request.app.state.control
    found = next((model for model in control.models.all() if model.id == name), None)
    if found is None:
        raise NotFound(f"model {name!r}")
    return _view(control, found)


@router.post("/models/pull", status_code=202, responses=may(400, 409))
def pull(
    request: Request,
    body: PullOrder,
    caller: Annotated[Caller, Depends(caller_for("models.pull"))],
) -> PullView:
    """Begin to bring a model in: fetched where policy allows it, inspected, signed."""
    control: Control = request.app.state.control
    return PullView.of(control.pulls.pull(caller.name, Order(**body.model_dump())))


@router.get("/models/{name}/pull", responses=may(404))
def pulled(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("models.pulled"))],
) -> PullView:
    """How far the pull of that name is."""
    del caller
    control: Control = request.app.state.control
    return PullView.of(control.pulls.last(name))

"""/factory/v1/deployments and /factory/v1/models."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Model, Replica
from inland.plant.deployments import Order

router = APIRouter(prefix="/factory/v1", tags=["deployments"])


class NewDeployment(BaseModel):
    """A deployment to add; `token` is the server's bearer token and is never shown again."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=63)
    engine: EngineKind = EngineKind.LLAMA_CPP
    model: str | None = Field(default=None, max_length=63)
    slots: int = 8
    context: int = 2048
    threads: int = 1
    replicas: int = 1
    url: str | None = Field(default=None, max_length=2048)
    upstream_model: str | None = Field(default=None, min_length=1, max_length=256)
    jurisdiction: str | None = Field(default=None, max_length=8)
    operator: str | None = Field(default=None, max_length=8)
    token: SecretStr | None = None
    permit_endpoint: bool = False

    def order(self) -> Order:
        """What the plant is asked."""
        fields = self.model_dump(exclude={"token"})
        token = self.token.get_secret_value() if self.token is not None else None
        return Order(**fields, token=token)


@router.get("/deployments")
def deployments(
    request: Request, caller: Annotated[Caller, Depends(caller_for("deployments.list"))]
) -> list[dict[str, Any]]:
    """All deployments with their replicas."""
    del caller
    control: Control = request.app.state.control
    snapshot = control.changes.snapshot()
    replicas = list(snapshot.replicas.values())
    return [shown(one, replicas) for one in snapshot.deployments.values()]


@router.post("/deployments", status_code=201)
def add(
    request: Request,
    body: NewDeployment,
    caller: Annotated[Caller, Depends(caller_for("deployments.add"))],
) -> dict[str, Any]:
    """Serve a model."""
    control: Control = request.app.state.control
    return shown(control.deployments.add(caller.name, body.order()), [])


@router.delete("/deployments/{name}")
def remove(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("deployments.remove"))],
) -> dict[str, Any]:
    """Serve it no more; answers when no gateway does."""
    control: Control = request.app.state.control
    control.deployments.remove(caller.name, name)
    return {"name": name, "removed": True}


@router.get("/models")
def models(
    request: Request, caller: Annotated[Caller, Depends(caller_for("models.list"))]
) -> list[dict[str, Any]]:
    """All model assets."""
    del caller
    control: Control = request.app.state.control
    return [_model(model) for model in control.models.all()]


def shown(deployment: Deployment, replicas: list[Replica]) -> dict[str, Any]:
    """A deployment as JSON."""
    return {
        "name": deployment.name,
        "engine": deployment.engine.value,
        "model": deployment.model,
        "place": place(deployment.place),
        "slots": deployment.slots,
        "context": deployment.context,
        "threads": deployment.threads,
        "url": deployment.url,
        "upstream_model": deployment.upstream_model,
        "declared": deployment.declared,
        "replicas": [
            {"id": one.id, "state": one.state.value}
            for one in replicas
            if one.deployment == deployment.name
        ],
    }


def place(where: Place) -> dict[str, str]:
    """A place as JSON."""
    return {
        "id": where.id,
        "stands": where.stands,
        "operated": where.operated,
        "known": where.known.value,
    }


def _model(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "owner": model.label.owner,
        "jurisdictions": list(model.label.jurisdictions),
        "classification": model.label.classification.value,
        "purposes": [purpose.value for purpose in model.label.purposes],
        "shared_with": list(model.shared_with),
        "digest": model.digest,
        "licence": model.licence,
        "declared": model.declared,
    }

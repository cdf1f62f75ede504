"""/factory/v1/deployments: models being served."""

from collections.abc import Mapping
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field, SecretStr

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.profiles import ProfileView
from inland.api.shapes import PlaceView, Shape
from inland.domain.capabilities import MEANING, OF_UPSTREAM, Known, table
from inland.domain.errors import NotFound
from inland.domain.plant import Deployment, EngineKind, Feature, Replica, ReplicaState
from inland.plant.deployments import Order

router = APIRouter(prefix="/factory/v1", tags=["deployments"])


class NewDeployment(Shape):
    """A deployment to add; `token` is the server's bearer token and is never shown again."""

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
    supports: tuple[Feature, ...] = Field(default=OF_UPSTREAM, max_length=len(Feature))
    token: SecretStr | None = None
    permit_endpoint: bool = False

    def order(self) -> Order:
        """What the plant is asked."""
        fields = self.model_dump(exclude={"token"})
        token = self.token.get_secret_value() if self.token is not None else None
        return Order(**fields, token=token)


class ReplicaView(Shape):
    """One copy of a deployment."""

    id: str
    state: ReplicaState


class DeploymentView(Shape):
    """A deployment with its replicas. `held_back`: why no engine may have its model just now."""

    name: str
    engine: EngineKind
    model: str
    place: PlaceView
    slots: int
    context: int
    threads: int
    url: str | None
    upstream_model: str | None
    declared: bool
    replicas: list[ReplicaView]
    held_back: str | None

    @classmethod
    def of(
        cls, deployment: Deployment, replicas: list[Replica], held_back: Mapping[str, str]
    ) -> Self:
        """A deployment as it is shown; `replicas` may be others' too. `held_back`: models that no
        engine may have, each with why."""
        return cls(
            held_back=held_back.get(deployment.model),
            name=deployment.name,
            engine=deployment.engine,
            model=deployment.model,
            place=PlaceView.of(deployment.place),
            slots=deployment.slots,
            context=deployment.context,
            threads=deployment.threads,
            url=deployment.url,
            upstream_model=deployment.upstream_model,
            declared=deployment.declared,
            replicas=[
                ReplicaView(id=one.id, state=one.state)
                for one in replicas
                if one.deployment == deployment.name
            ],
        )


class Scale(Shape):
    """How many replicas a deployment is to have; with none it is kept, and not served."""

    replicas: int


class SupportView(Shape):
    """One row of a deployment's table: whether it has the feature, and who says so."""

    feature: Feature
    means: str
    supported: Known
    because: str


class DeploymentTable(DeploymentView):
    """A deployment, the table of what it can be asked, and what it was measured to do, unless it
    was changed since."""

    supports: list[SupportView]
    profile: ProfileView | None


class Removed(Shape):
    """A deployment that is served no more."""

    name: str
    removed: bool


@router.get("/deployments")
def deployments(
    request: Request, caller: Annotated[Caller, Depends(caller_for("deployments.list"))]
) -> list[DeploymentView]:
    """All deployments with their replicas."""
    del caller
    control: Control = request.app.state.control
    snapshot = control.changes.snapshot()
    replicas = list(snapshot.replicas.values())
    held_back = control.assets.holders.held_back()
    return [DeploymentView.of(one, replicas, held_back) for one in snapshot.deployments.values()]


@router.get("/deployments/{name}", responses=may(404))
def one(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("deployments.show"))],
) -> DeploymentTable:
    """One deployment, the table of what it can be asked, and its capacity as measured."""
    del caller
    control: Control = request.app.state.control
    snapshot = control.changes.snapshot()
    found = snapshot.deployments.get(name)
    if found is None:
        raise NotFound(f"deployment {name!r}")
    replicas = list(snapshot.replicas.values())
    rows = [
        SupportView(
            feature=row.feature,
            means=MEANING[row.feature],
            supported=row.known,
            because=row.because,
        )
        for row in table(found, replicas)
    ]
    view = DeploymentView.of(found, replicas, control.assets.holders.held_back())
    profile = snapshot.profiles.get(name)
    shown = None if profile is None else ProfileView.of(profile)
    return DeploymentTable(**view.model_dump(), supports=rows, profile=shown)


@router.post("/deployments", status_code=201, responses=may(400, 403, 404, 409, 503))
def add(
    request: Request,
    body: NewDeployment,
    caller: Annotated[Caller, Depends(caller_for("deployments.add"))],
) -> DeploymentView:
    """Serve a model."""
    control: Control = request.app.state.control
    return DeploymentView.of(control.deployments.add(caller.name, body.order()), [], {})


@router.post("/deployments/{name}/scale", responses=may(400, 404, 409))
def scale(
    request: Request,
    name: str,
    body: Scale,
    caller: Annotated[Caller, Depends(caller_for("deployments.scale"))],
) -> DeploymentView:
    """Serve it by more or fewer replicas; those beyond them end what they have, bounded."""
    control: Control = request.app.state.control
    scaled = control.deployments.scale(caller.name, name, body.replicas)
    replicas = list(control.changes.snapshot().replicas.values())
    return DeploymentView.of(scaled, replicas, control.assets.holders.held_back())


@router.delete("/deployments/{name}", responses=may(404, 409))
def remove(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("deployments.remove"))],
) -> Removed:
    """Serve it no more; answers when no gateway does."""
    control: Control = request.app.state.control
    control.deployments.remove(caller.name, name)
    return Removed(name=name, removed=True)

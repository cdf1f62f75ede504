"""/factory/v1/status and /factory/v1/processes: what runs, and what it waits for."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request

from inland import __version__
from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.health import awaited
from inland.api.problems import may
from inland.api.shapes import PlaceView, Shape
from inland.domain.errors import Busy
from inland.domain.plant import ReplicaState
from inland.domain.snapshot import Snapshot
from inland.ports.runner import ProcessState, ProcessView

router = APIRouter(prefix="/factory/v1", tags=["processes"])


class ProcessRow(Shape):
    """One process; `why`: how its last life ended. `start`: clock ticks since boot."""

    name: str
    role: str
    state: ProcessState | None = None
    pid: int | None
    start: int | None = None
    restarts: int = 0
    replica: str | None = None
    why: str | None
    inland: str | None = None

    @classmethod
    def of(cls, view: ProcessView) -> Self:
        """A process as it is shown."""
        return cls(
            name=view.name,
            role=view.role,
            state=view.state,
            pid=view.pid,
            start=view.start,
            restarts=view.restarts,
            replica=view.replica,
            why=view.why,
            inland=view.inland,
        )


class GatewayRow(Shape):
    """A gateway with a lease; `running`: the version it decides by; `inland`: its own."""

    gateway: str
    pid: int
    running: int
    inland: str


class ReplicaRow(Shape):
    """One copy of a deployment."""

    id: str
    state: ReplicaState
    why: str | None


class DeploymentRow(Shape):
    """A deployment's copies."""

    name: str
    replicas: list[ReplicaRow]


class PolicyRow(Shape):
    """The policy set in force."""

    digest: str
    differs: list[str]


class Status(Shape):
    """The factory at a glance. `wrong`: what control's steps trip over, by controller, why a
    gateway gets no lease, which guards look at nothing, which keeper of the vault is away.
    `inland`: control's own version."""

    factory: str
    site: PlaceView
    version: int
    ready: bool
    awaited: list[str]
    policy: PolicyRow
    processes: list[ProcessRow]
    gateways: list[GatewayRow]
    deployments: list[DeploymentRow]
    tenants: int
    alarms: list[str]
    wrong: dict[str, str]
    inland: str
    log: str


class Revived(Shape):
    """A process that is started again."""

    name: str
    revived: bool


@router.get("/status")
def status(request: Request, caller: Annotated[Caller, Depends(caller_for("status"))]) -> Status:
    """The whole factory at a glance."""
    del caller
    control: Control = request.app.state.control
    snapshot = control.changes.snapshot()
    waiting = awaited(control)
    processes = _processes(control)
    return Status(
        factory=control.factory,
        site=PlaceView.of(control.site),
        version=snapshot.version,
        ready=not waiting,
        awaited=waiting,
        policy=PolicyRow(digest=snapshot.policy_digest, differs=control.policies.drift()),
        processes=processes,
        gateways=[
            GatewayRow(gateway=one.gateway, pid=one.pid, running=one.running, inland=one.inland)
            for one in control.feed.gateways()
        ],
        deployments=_deployments(snapshot, processes),
        tenants=len(snapshot.tenants),
        alarms=[*control.books.alarms, *_journals(control)],
        wrong={**control.ticker.wrong, **control.feed.refused(), **_away(control)},
        inland=__version__,
        log=control.books.vkey,
    )


@router.post("/processes/{name}/revive", responses=may(404, 409))
def revive(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("processes.revive"))],
) -> Revived:
    """Start again a process that was given up."""
    control: Control = request.app.state.control
    control.runner.revive(name)
    control.changes.note(caller.name, "process.revive", name)
    return Revived(name=name, revived=True)


def _away(control: Control) -> dict[str, str]:
    """What does not work and ends nothing: guards that look at nothing, keepers that are away."""
    return {**_idle_guards(control), **control.vault.away()}


def _idle_guards(control: Control) -> dict[str, str]:
    return {f"guard {name}": why for name, why in control.guards.waiting().items()}


def _processes(control: Control) -> list[ProcessRow]:
    try:
        return [ProcessRow.of(view) for view in control.runner.processes()]
    except Busy as busy:
        return [ProcessRow(name="supervisor", role="supervisor", pid=None, why=str(busy))]


def _journals(control: Control) -> list[str]:
    """Gateways that can write no journal, so answer 503; their logs say why."""
    lines = []
    for one in control.feed.gateways():
        gauge = (one.metrics or {}).get("gauges", {}).get("journals_writable")
        if gauge is not None and gauge["series"] == [[[], 0]]:
            why = "its journal's disk is full or takes no writes; answers are 503 until it does"
            lines.append(f"{one.gateway}: {why}")
    return lines


def _deployments(snapshot: Snapshot, processes: list[ProcessRow]) -> list[DeploymentRow]:
    why = {one.replica: one.why for one in processes}
    return [
        DeploymentRow(
            name=name,
            replicas=[
                ReplicaRow(id=one.id, state=one.state, why=why.get(one.id))
                for one in snapshot.replicas.values()
                if one.deployment == name
            ],
        )
        for name in snapshot.deployments
    ]

"""/factory/v1/status and /factory/v1/processes: what runs, and what it waits for."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.deployments import place
from inland.api.health import awaited
from inland.domain.errors import Busy
from inland.domain.snapshot import Snapshot
from inland.ports.runner import ProcessView

router = APIRouter(prefix="/factory/v1", tags=["processes"])


@router.get("/status")
def status(
    request: Request, caller: Annotated[Caller, Depends(caller_for("status"))]
) -> dict[str, Any]:
    """The whole factory at a glance."""
    del caller
    control: Control = request.app.state.control
    snapshot = control.changes.snapshot()
    waiting = awaited(control)
    processes = _processes(control)
    return {
        "factory": control.factory,
        "site": place(control.site),
        "version": snapshot.version,
        "ready": not waiting,
        "awaited": waiting,
        "policy": {"digest": snapshot.policy_digest, "differs": control.policies.drift()},
        "processes": processes,
        "gateways": [
            {"gateway": one.gateway, "pid": one.pid, "running": one.running}
            for one in control.feed.gateways()
        ],
        "deployments": _deployments(snapshot, processes),
        "tenants": len(snapshot.tenants),
        "alarms": list(control.books.alarms),
        "wrong": dict(control.ticker.wrong),
        "log": control.books.vkey,
    }


@router.post("/processes/{name}/revive")
def revive(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("processes.revive"))],
) -> dict[str, Any]:
    """Start again a process that was given up."""
    control: Control = request.app.state.control
    control.runner.revive(name)
    control.changes.note(caller.name, "process.revive", name)
    return {"name": name, "revived": True}


def _processes(control: Control) -> list[dict[str, Any]]:
    try:
        return [_process(view) for view in control.runner.processes()]
    except Busy as busy:
        return [{"name": "supervisor", "role": "supervisor", "pid": None, "why": str(busy)}]


def _process(view: ProcessView) -> dict[str, Any]:
    return {
        "name": view.name,
        "role": view.role,
        "state": view.state.value,
        "pid": view.pid,
        "start": view.start,
        "restarts": view.restarts,
        "replica": view.replica,
        "why": view.why,
    }


def _deployments(snapshot: Snapshot, processes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    why = {one.get("replica"): one.get("why") for one in processes}
    return [
        {
            "name": name,
            "replicas": [
                {"id": one.id, "state": one.state.value, "why": why.get(one.id)}
                for one in snapshot.replicas.values()
                if one.deployment == name
            ],
        }
        for name in snapshot.deployments
    ]

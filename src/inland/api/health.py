"""/healthz and /readyz: public, and they say nothing but what the factory waits for."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from inland.api.control import Control
from inland.plant.replicas import awaited as awaited_deployments

router = APIRouter(tags=["health"])

#: How long a gateway may lag behind a change before `/readyz` says so, and how often it is asked.
LAG_S, LOOK_EVERY_S = 0.5, 0.02


@router.get("/healthz")
def healthz(request: Request) -> JSONResponse:
    """Whether control lives."""
    control: Control = request.app.state.control
    alive = control.feed.is_alive()
    return JSONResponse({"status": "ok" if alive else "failing"}, 200 if alive else 503)


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Whether every local deployment has produced a token and a gateway runs the newest version."""
    control: Control = request.app.state.control
    waiting = awaited(control)
    status = {"ready": not waiting, "awaited": waiting}
    return JSONResponse(status, 503 if waiting else 200)


def awaited(control: Control) -> list[str]:
    """What is missing, one line each; empty when the factory is ready."""
    until = control.clock.monotonic() + LAG_S
    while not _is_some_gateway_current(control) and control.clock.monotonic() < until:
        control.clock.sleep(LOOK_EVERY_S)
    waiting = (
        [] if _is_some_gateway_current(control) else ["a gateway that runs the newest version"]
    )
    with control.store.read() as transaction:
        return waiting + awaited_deployments(transaction.state)


def _is_some_gateway_current(control: Control) -> bool:
    version = control.feed.version()
    return version > 0 and any(one.running == version for one in control.feed.gateways())

"""/healthz and /readyz: public, and they say nothing but what the factory waits for."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from inland.api.control import Control
from inland.api.shapes import Shape
from inland.plant.replicas import awaited as awaited_deployments

router = APIRouter(tags=["health"])

#: How long a gateway may lag behind a change before `/readyz` says so, and how often it is asked.
LAG_S, LOOK_EVERY_S = 0.5, 0.02


class Health(Shape):
    """`ok`, or `failing`: it will be started again."""

    status: Literal["ok", "failing"]


class Readiness(Shape):
    """`awaited`: what is missing, one line each."""

    ready: bool
    awaited: list[str]


@router.get("/healthz", responses={503: {"model": Health, "description": "Failing"}})
def healthz(request: Request, response: Response) -> Health:
    """Whether control lives."""
    control: Control = request.app.state.control
    alive = control.feed.is_alive()
    response.status_code = 200 if alive else 503
    return Health(status="ok" if alive else "failing")


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready"}})
def readyz(request: Request, response: Response) -> Readiness:
    """Whether every local deployment has produced a token and a gateway runs the newest version."""
    control: Control = request.app.state.control
    waiting = awaited(control)
    response.status_code = 503 if waiting else 200
    return Readiness(ready=not waiting, awaited=waiting)


def awaited(control: Control) -> list[str]:
    """What is missing, one line each; empty when the factory is ready."""
    until = control.clock.monotonic() + LAG_S
    while not _is_some_gateway_current(control) and control.clock.monotonic() < until:
        control.clock.sleep(LOOK_EVERY_S)
    waiting = (
        [] if _is_some_gateway_current(control) else ["a gateway that runs the newest version"]
    )
    held_back = control.assets.holders.held_back()
    with control.store.read() as transaction:
        return waiting + awaited_deployments(transaction.state, held_back)


def _is_some_gateway_current(control: Control) -> bool:
    version = control.feed.version()
    return version > 0 and any(one.running == version for one in control.feed.gateways())

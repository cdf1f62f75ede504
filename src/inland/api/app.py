"""The control side's HTTP application, for `run/control.sock`. Nothing answers that is not in the
table of `access` or public by name."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from inland import __version__
from inland.api import (
    deployments,
    health,
    keys,
    ledger,
    metrics,
    policies,
    problems,
    processes,
    receipts,
    records,
    tenants,
)
from inland.api.access import ACCESS
from inland.api.bounds import Bounds
from inland.api.control import Control
from inland.api.totals import Totals

#: Everything that answers without a key.
PUBLIC = frozenset({"/healthz", "/readyz", "/ledger/checkpoint", "/ledger/tile/{path:path}"})
NOUNS = (
    health,
    metrics,
    ledger,
    processes,
    tenants,
    keys,
    deployments,
    policies,
    receipts,
    records,
)


def build_app(control: Control) -> FastAPI:
    """The application over one factory's parts."""
    app = FastAPI(
        title="Inland", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.control = control
    app.state.totals = Totals()
    app.state.waiting = 0
    problems.install(app)
    for noun in NOUNS:
        app.include_router(noun.router)
    for path, operation in operations():
        assert operation in ACCESS or path in PUBLIC, f"{path} is in no table"
    app.add_middleware(Bounds, clock=control.clock)
    return app


def operations() -> list[tuple[str, str | None]]:
    """Every route's path and the operation it asks the table for, None where it asks nothing."""
    return [
        (route.path, _operation(route))
        for noun in NOUNS
        for route in noun.router.routes
        if isinstance(route, APIRoute)
    ]


def _operation(route: APIRoute) -> str | None:
    asked = (getattr(one.call, "operation", None) for one in route.dependant.dependencies)
    return next((one for one in asked if one is not None), None)

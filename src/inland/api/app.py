"""The control side's HTTP application, for `run/control.sock`. Nothing answers that is not in the
table of `access` or public by name."""

from collections.abc import Callable
from functools import cache

from fastapi import FastAPI
from fastapi.routing import APIRoute

from inland import __version__
from inland.api import (
    assets,
    batches,
    budgets,
    contract,
    contracts,
    deployments,
    egress,
    feedback,
    files,
    fine_tuning,
    guards,
    health,
    invoices,
    jobs,
    keys,
    ledger,
    lines,
    metrics,
    models,
    moves,
    policies,
    prices,
    problems,
    processes,
    profiles,
    receipts,
    records,
    releases,
    site_log,
    tenants,
    vault,
)
from inland.api.access import ACCESS
from inland.api.bounds import Bounds
from inland.api.contract import Document, operation_of
from inland.api.control import Control

#: Everything that answers without a key.
PUBLIC = frozenset(
    {
        "/healthz",
        "/readyz",
        "/ledger/checkpoint",
        "/ledger/tile/{path:path}",
        "/ledger/{log}/checkpoint",
        "/ledger/{log}/tile/{path:path}",
        "/ledger/{log}/successor",
        contract.PATH,  # the same in every factory of a version: it names nothing that is here
    }
)
NOUNS = (
    contract,
    health,
    metrics,
    ledger,
    processes,
    tenants,
    keys,
    deployments,
    assets,
    models,
    moves,
    contracts,
    profiles,
    policies,
    guards,
    receipts,
    records,
    prices,
    budgets,
    invoices,
    egress,
    site_log,
    vault,
    jobs,
    releases,
    feedback,
    lines,
    files,
    batches,
    fine_tuning,
)


def build_app(control: Control, told: Callable[[], Document] = dict) -> FastAPI:
    """The application over one factory's parts. `told` makes the contract it answers, when it is
    asked for: that takes longer than a start should wait."""
    app = FastAPI(
        title="Inland", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.control = control
    app.state.contract = cache(told)
    app.state.routes = routes()
    app.state.waiting = 0
    problems.install(app)
    for noun in NOUNS:
        app.include_router(noun.router)
    for path, operation in operations():
        assert operation in ACCESS or path in PUBLIC, f"{path} is in no table"
    app.add_middleware(Bounds, clock=control.clock, limits=control.limits)
    return app


def routes() -> list[APIRoute]:
    """Every route of control."""
    every = (route for noun in NOUNS for route in noun.router.routes)
    return [route for route in every if isinstance(route, APIRoute)]


def operations() -> list[tuple[str, str | None]]:
    """Every route's path and the operation it asks the table for, None where it asks nothing."""
    return [(route.path, operation_of(route)) for route in routes()]

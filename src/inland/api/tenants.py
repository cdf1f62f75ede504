"""/factory/v1/tenants."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.domain.labels import Classification, Purpose
from inland.domain.plant import Tenant

router = APIRouter(prefix="/factory/v1/tenants", tags=["tenants"])


class NewTenant(BaseModel):
    """A tenant to add; without jurisdictions its label covers the site."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=63)
    jurisdictions: list[str] | None = Field(default=None, min_length=1, max_length=64)
    classification: Classification = Classification.INTERNAL
    purposes: list[Purpose] = Field(default=[Purpose.SERVE], min_length=1, max_length=5)


@router.get("")
def tenants(
    request: Request, caller: Annotated[Caller, Depends(caller_for("tenants.list"))]
) -> list[dict[str, Any]]:
    """All tenants, or the caller's own."""
    control: Control = request.app.state.control
    mine = caller.reach(None)
    return [shown(one) for one in control.tenants.all() if mine in {None, one.id}]


@router.post("", status_code=201)
def add(
    request: Request,
    body: NewTenant,
    caller: Annotated[Caller, Depends(caller_for("tenants.add"))],
) -> dict[str, Any]:
    """Add a tenant."""
    control: Control = request.app.state.control
    tenant = control.tenants.add(
        caller.name, body.name, body.jurisdictions, body.classification, body.purposes
    )
    return shown(tenant)


@router.post("/{tenant}/suspend")
def suspend(
    request: Request,
    tenant: str,
    caller: Annotated[Caller, Depends(caller_for("tenants.suspend"))],
) -> dict[str, Any]:
    """Serve it no more; answers when no gateway does."""
    control: Control = request.app.state.control
    return shown(control.tenants.suspend(caller.name, tenant))


@router.post("/{tenant}/resume")
def resume(
    request: Request,
    tenant: str,
    caller: Annotated[Caller, Depends(caller_for("tenants.resume"))],
) -> dict[str, Any]:
    """Serve it again."""
    control: Control = request.app.state.control
    return shown(control.tenants.resume(caller.name, tenant))


def shown(tenant: Tenant) -> dict[str, Any]:
    """A tenant as JSON."""
    label = tenant.label
    return {
        "id": tenant.id,
        "label": {
            "jurisdictions": list(label.jurisdictions),
            "classification": label.classification.value,
            "purposes": [purpose.value for purpose in label.purposes],
        },
        "suspended": tenant.suspended,
        "declared": tenant.declared,
    }

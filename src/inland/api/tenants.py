"""/factory/v1/tenants."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import LabelView, Shape
from inland.domain.labels import Classification, Purpose
from inland.domain.plant import Tenant

router = APIRouter(prefix="/factory/v1/tenants", tags=["tenants"])


class NewTenant(Shape):
    """A tenant to add; without jurisdictions its label covers the site. `storage`: where what is
    its own may be stored, if that is not where it may be processed."""

    name: str = Field(max_length=63)
    jurisdictions: list[str] | None = Field(default=None, min_length=1, max_length=64)
    storage: list[str] | None = Field(default=None, min_length=1, max_length=64)
    classification: Classification = Classification.INTERNAL
    purposes: list[Purpose] = Field(default=[Purpose.SERVE], min_length=1, max_length=5)


class TenantPurposes(Shape):
    """What may be done with what a tenant sends, and no more."""

    purposes: list[Purpose] = Field(min_length=1, max_length=5)


class TenantView(Shape):
    """A tenant."""

    id: str
    label: LabelView
    suspended: bool
    withdrawn: bool
    declared: bool

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """A tenant as it is shown."""
        return cls(
            id=tenant.id,
            label=LabelView.of(tenant.label),
            suspended=tenant.suspended,
            withdrawn=tenant.withdrawn,
            declared=tenant.declared,
        )


@router.get("")
def tenants(
    request: Request, caller: Annotated[Caller, Depends(caller_for("tenants.list"))]
) -> list[TenantView]:
    """All tenants, or the caller's own."""
    control: Control = request.app.state.control
    mine = caller.reach(None)
    return [TenantView.of(one) for one in control.tenants.all() if mine in {None, one.id}]


@router.post("", status_code=201, responses=may(400, 409))
def add(
    request: Request,
    body: NewTenant,
    caller: Annotated[Caller, Depends(caller_for("tenants.add"))],
) -> TenantView:
    """Add a tenant."""
    control: Control = request.app.state.control
    tenant = control.tenants.add(
        caller.name,
        body.name,
        body.jurisdictions,
        body.classification,
        body.purposes,
        body.storage,
    )
    return TenantView.of(tenant)


@router.post("/{tenant}/label", responses=may(400, 404, 409))
def label(
    request: Request,
    tenant: str,
    body: TenantPurposes,
    caller: Annotated[Caller, Depends(caller_for("tenants.label"))],
) -> TenantView:
    """Let what it sends be used for these purposes; answers when every gateway decides so."""
    control: Control = request.app.state.control
    return TenantView.of(control.tenants.label(caller.name, tenant, body.purposes))


@router.post("/{tenant}/suspend", responses=may(404))
def suspend(
    request: Request,
    tenant: str,
    caller: Annotated[Caller, Depends(caller_for("tenants.suspend"))],
) -> TenantView:
    """Serve it no more; answers when no gateway does."""
    control: Control = request.app.state.control
    return TenantView.of(control.tenants.suspend(caller.name, tenant))


@router.post("/{tenant}/resume", responses=may(404))
def resume(
    request: Request,
    tenant: str,
    caller: Annotated[Caller, Depends(caller_for("tenants.resume"))],
) -> TenantView:
    """Serve it again."""
    control: Control = request.app.state.control
    return TenantView.of(control.tenants.resume(caller.name, tenant))

"""/factory/v1/vault: how it is, what is wrong in it, and whose keys are withdrawn."""

from dataclasses import asdict
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.assets import StoreView
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.api.tenants import TenantView
from inland.domain.errors import BadInput
from inland.plant.vault import Finding, VaultStatus, Wrong

router = APIRouter(prefix="/factory/v1/vault", tags=["vault"])


class VaultView(Shape):
    """What keeps keys and blobs; why one cannot be used, else empty; who withdrew its keys; every
    store that content may lie in, the first for what is new."""

    keys: str
    blobs: str
    keys_away: str
    blobs_away: str
    withdrawn: list[str]
    stores: list[StoreView]

    @classmethod
    def of(cls, status: VaultStatus) -> Self:
        """A status as it is shown."""
        lists = {
            "withdrawn": list(status.withdrawn),
            "stores": [StoreView.of(place) for place in status.stores],
        }
        return cls(**{**asdict(status), **lists})


class VaultFindingView(Shape):
    """One thing that is wrong; of a whole asset where `part` is null."""

    wrong: Wrong
    tenant: str
    asset: str
    part: int | None
    repaired: bool

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """A finding as it is shown."""
        return cls(**asdict(finding))


class Check(Shape):
    """Whether what belongs to no asset is removed."""

    repair: bool = False


class Whose(Shape):
    """The tenant whose keys; a tenant's own key need not say."""

    tenant: str | None = Field(default=None, max_length=63)


class Rotate(Shape):
    """`secret`: what the keys are under now, where the factory cannot read that any more."""

    secret: str | None = Field(default=None, min_length=8, max_length=4096, repr=False)


class Rotated(Shape):
    """How many keys are under a new factory key now."""

    keys: int


@router.get("")
def status(
    request: Request, _caller: Annotated[Caller, Depends(caller_for("vault.status"))]
) -> VaultView:
    """How the vault is."""
    control: Control = request.app.state.control
    return VaultView.of(control.vault.status())


@router.post("/check", responses=may(503))
def check(
    request: Request,
    body: Check,
    _caller: Annotated[Caller, Depends(caller_for("vault.check"))],
) -> list[VaultFindingView]:
    """Open every part of every asset, and look for what no asset has."""
    control: Control = request.app.state.control
    return [VaultFindingView.of(one) for one in control.vault.check(repair=body.repair)]


@router.post("/withdraw", responses=may(400, 404, 503))
def withdraw(
    request: Request,
    body: Whose,
    caller: Annotated[Caller, Depends(caller_for("vault.withdraw"))],
) -> TenantView:
    """Withdraw a tenant's keys; answers when nothing of it opens and no gateway serves it."""
    control: Control = request.app.state.control
    return TenantView.of(control.vault.withdraw(caller.name, _whose(caller, body)))


@router.post("/give-back", responses=may(400, 404, 503))
def give_back(
    request: Request,
    body: Whose,
    caller: Annotated[Caller, Depends(caller_for("vault.give-back"))],
) -> TenantView:
    """Give them back: it is served again."""
    control: Control = request.app.state.control
    return TenantView.of(control.vault.give_back(caller.name, _whose(caller, body)))


@router.post("/rotate", responses=may(409, 503))
def rotate(
    request: Request,
    body: Rotate,
    caller: Annotated[Caller, Depends(caller_for("vault.rotate"))],
) -> Rotated:
    """Put the embedded keys under a new factory key, of what factory.toml names now."""
    control: Control = request.app.state.control
    secret = None if body.secret is None else body.secret.encode()
    return Rotated(keys=control.vault.rotation.rotate(caller.name, secret))


def _whose(caller: Caller, body: Whose) -> str:
    whose = caller.reach(body.tenant)
    if whose is None:
        raise BadInput("tenant", "say whose keys")
    return whose

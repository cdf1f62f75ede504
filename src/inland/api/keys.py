"""/factory/v1/keys. A key's text is in the answer to its making and nowhere else, ever."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.domain.plant import Key, Role

router = APIRouter(prefix="/factory/v1/keys", tags=["keys"])


class NewKey(BaseModel):
    """A key to add. `models` empty: all the tenant may use. `expires`: Unix seconds."""

    model_config = ConfigDict(extra="forbid")
    tenant: str | None = Field(default=None, max_length=63)
    role: Role = Role.MEMBER
    models: list[str] = Field(default=[], max_length=64)
    expires: int | None = Field(default=None, ge=0, lt=1 << 40)


@router.get("")
def keys(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("keys.list"))],
    tenant: str | None = None,
) -> list[dict[str, Any]]:
    """Keys without their secrets: all, one tenant's, or the caller's tenant's."""
    control: Control = request.app.state.control
    return [shown(key) for key in control.keys.all(caller.reach(tenant))]


@router.post("", status_code=201)
def add(
    request: Request,
    body: NewKey,
    caller: Annotated[Caller, Depends(caller_for("keys.add"))],
) -> dict[str, Any]:
    """Make a key and show it this once."""
    control: Control = request.app.state.control
    tenant = caller.reach(body.tenant)
    key, text = control.keys.add(caller.name, tenant, body.role, body.models, body.expires)
    return shown(key) | {"key": text}


@router.post("/{key}/revoke")
def revoke(
    request: Request,
    key: str,
    caller: Annotated[Caller, Depends(caller_for("keys.revoke"))],
) -> dict[str, Any]:
    """End a key for good; answers when no gateway takes it."""
    control: Control = request.app.state.control
    return shown(control.keys.revoke(caller.name, key, caller.reach(None)))


def shown(key: Key) -> dict[str, Any]:
    """A key as JSON: no secret, no hash."""
    return {
        "id": key.id,
        "tenant": key.tenant,
        "role": key.role.value,
        "models": list(key.models),
        "expires": key.expires_unix_s,
        "created": key.created_unix_s,
        "revoked": key.revoked,
        "declared": key.declared,
    }

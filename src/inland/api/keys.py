"""/factory/v1/keys. A key's text is in the answer to its making and nowhere else, ever."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.domain.plant import Key, Role
from inland.plant.keys import MAX_OVERLAP_S

router = APIRouter(prefix="/factory/v1/keys", tags=["keys"])


class NewKey(Shape):
    """A key to add. `models` empty: all the tenant may use. `expires`: Unix seconds."""

    tenant: str | None = Field(default=None, max_length=63)
    role: Role = Role.MEMBER
    models: list[str] = Field(default=[], max_length=64)
    expires: int | None = Field(default=None, ge=0, lt=1 << 40)


class Overlap(Shape):
    """For how long a rotated key goes on beside its successor; 0 revokes it."""

    overlap_s: int = Field(default=86_400, ge=0, le=MAX_OVERLAP_S)


class KeyView(Shape):
    """A key: no secret, no hash. `expires` and `created`: Unix seconds. `successor`: the id of the
    key it was rotated to."""

    id: str
    tenant: str | None
    role: Role
    models: list[str]
    expires: int | None
    created: int
    revoked: bool
    declared: bool
    successor: str | None

    @classmethod
    def of(cls, made: Key, **more: str) -> Self:
        """A key as it is shown."""
        return cls(
            id=made.id,
            tenant=made.tenant,
            role=made.role,
            models=list(made.models),
            expires=made.expires_unix_s,
            created=made.created_unix_s,
            revoked=made.revoked,
            declared=made.declared,
            successor=made.successor,
            **more,
        )


class MadeKey(KeyView):
    """A new key; `key` is its text, shown this once."""

    key: str


class RotatedKey(MadeKey):
    """The successor of a key, and that key as it is now."""

    before: KeyView


@router.get("", responses=may(404))
def keys(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("keys.list"))],
    tenant: str | None = None,
) -> list[KeyView]:
    """Keys without their secrets: all, one tenant's, or the caller's tenant's."""
    control: Control = request.app.state.control
    return [KeyView.of(key) for key in control.keys.all(caller.reach(tenant))]


@router.post("", status_code=201, responses=may(400, 404, 409))
def add(
    request: Request,
    body: NewKey,
    caller: Annotated[Caller, Depends(caller_for("keys.add"))],
) -> MadeKey:
    """Make a key and show it this once."""
    control: Control = request.app.state.control
    tenant = caller.reach(body.tenant)
    key, text = control.keys.add(caller.name, tenant, body.role, body.models, body.expires)
    return MadeKey.of(key, key=text)


@router.post("/{key}/rotate", responses=may(400, 404, 409))
def rotate(
    request: Request,
    key: str,
    body: Overlap,
    caller: Annotated[Caller, Depends(caller_for("keys.rotate"))],
) -> RotatedKey:
    """Make a key's successor, shown this once; without overlap, answers when the old one is out."""
    control: Control = request.app.state.control
    tenant = caller.reach(None)
    old, new, text = control.keys.rotate(caller.name, key, body.overlap_s, tenant)
    return RotatedKey(**vars(KeyView.of(new)), key=text, before=KeyView.of(old))


@router.post("/{key}/revoke", responses=may(404, 409))
def revoke(
    request: Request,
    key: str,
    caller: Annotated[Caller, Depends(caller_for("keys.revoke"))],
) -> KeyView:
    """End a key for good; answers when no gateway takes it."""
    control: Control = request.app.state.control
    return KeyView.of(control.keys.revoke(caller.name, key, caller.reach(None)))

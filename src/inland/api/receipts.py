"""/factory/v1/receipts: proofs, and the key to one record, for whoever may have them.

An unknown reference and a foreign one get the same answer after the same time.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import holds, may, unseen
from inland.api.shapes import Shape
from inland.api.waiting import wait_for
from inland.domain.plant import Role
from inland.ledger.commitments import record_key
from inland.ledger.records import Record
from inland.ledger.tombstones import is_destroyed
from inland.plant.books.receipts import destroyed

router = APIRouter(prefix="/factory/v1/receipts", tags=["receipts"])

MAX_REF_CHARS = 128
#: Changes that are about something of a tenant's: their details say whose.
_ITS = ("contract.", "asset.", "record.", "feedback.", "release.", "run.", "step.")


class RecordKey(Shape):
    """What opens one record: 32 bytes in hexadecimal."""

    reference: str
    key: str


@router.get(
    "/{ref}", response_class=Response, responses=may(400, 404) | holds("application/json", "object")
)
async def receipt(
    request: Request,
    ref: str,
    caller: Annotated[Caller, Depends(caller_for("receipts.get"))],
    since: int | None = None,
) -> Response:
    """The receipt's file as it is to be kept. `since`: the size of a checkpoint kept earlier."""
    control: Control = request.app.state.control

    def look() -> bytes | None:
        record = mine(control, caller, ref)
        return None if record is None else control.books.receipt(ref, since)

    found = await wait_for(request, look)
    return unseen() if found is None else Response(found, media_type="application/json")


@router.get("/{ref}/key", response_model=RecordKey, responses=may(404))
async def key(
    request: Request, ref: str, caller: Annotated[Caller, Depends(caller_for("receipts.key"))]
) -> RecordKey | Response:
    """The key that opens one record, for its tenant: a member gets those of its own requests."""
    control: Control = request.app.state.control

    def look() -> Record | None:
        record = mine(control, caller, ref)
        own = caller.key.role is not Role.MEMBER
        return record if record and (own or record.get("key") == caller.key.id) else None

    record = await wait_for(request, look)
    if record is None or record.get("tenant") is None:
        return unseen()
    secrets = await run_in_threadpool(control.secrets.secrets)
    tenant_key = secrets.record_keys.get(record["tenant"])
    if tenant_key is None:
        return unseen()
    return RecordKey(reference=record["id"], key=record_key(tenant_key, record["id"]).hex())


def mine(control: Control, caller: Caller, ref: str) -> Record | None:
    """The record a reference names, if the caller may see it. Raises Conflict for one that was
    destroyed."""
    located = control.books.locate(ref[:MAX_REF_CHARS])
    if located is None:
        return None
    record = located[1]
    whose = located[0] or _told_to(record)
    if caller.tenant is not None and whose != caller.tenant:
        return None
    if is_destroyed(record):
        raise destroyed(record)
    return record


def _told_to(record: Record) -> str | None:
    """The tenant whose contract, asset, release or run a change was about: it is its to prove."""
    is_its = str(record.get("what")).startswith(_ITS)
    return str(record["details"]["tenant"]) if is_its else None

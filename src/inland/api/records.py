"""/factory/v1/records, /factory/v1/usage and /factory/v1/vkey: projections over the books."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import holds, may
from inland.api.shapes import Shape
from inland.domain.errors import BadInput, NotFound
from inland.plant.destroying import Destroyed
from inland.ports.books import UsageRow

router = APIRouter(prefix="/factory/v1", tags=["records"])


class UsageView(Shape):
    """What one key used of one deployment in one hour."""

    hour_unix_s: int
    tenant: str
    deployment: str
    key: str
    requests: int
    unbilled: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    wasted_tokens_estimated: int

    @classmethod
    def of(cls, row: UsageRow) -> Self:
        """A row as it is shown."""
        return cls(**asdict(row))


@router.get(
    "/records",
    response_class=StreamingResponse,
    responses=may(400, 404) | holds("application/x-ndjson"),
)
def records(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("records.export"))],
    tenant: str | None = None,
) -> StreamingResponse:
    """A tenant's records in the order of booking, one canonical JSON a line."""
    control: Control = request.app.state.control
    whose = caller.reach(tenant)
    if whose is None:
        raise BadInput("tenant", "say whose records")
    with control.store.read() as transaction:
        if transaction.state.tenant(whose) is None:
            raise NotFound(f"tenant {whose!r}")
    return StreamingResponse(_lines(control, whose), media_type="application/x-ndjson")


class Destroy(Shape):
    """Records of before `before` (Unix seconds or ISO 8601). `only_tell`: change nothing, say what
    would be destroyed."""

    tenant: str | None = Field(default=None, max_length=63)
    before: str = Field(max_length=40)
    only_tell: bool = False


class DestroyedView(Shape):
    """What was, or would be. `months`: their invoices are kept as they are. `record`: the id of the
    one that says that it is done; null where nothing was."""

    tenant: str
    before: int
    records: int
    months: list[str]
    record: str | None

    @classmethod
    def of(cls, destroyed: Destroyed) -> Self:
        """As it is shown."""
        return cls(
            tenant=destroyed.tenant,
            before=destroyed.before_unix_s,
            records=destroyed.records,
            months=list(destroyed.months),
            record=destroyed.record or None,
        )


@router.post("/records/destroy", responses=may(400, 404, 409))
def destroy(
    request: Request,
    body: Destroy,
    caller: Annotated[Caller, Depends(caller_for("records.destroy"))],
) -> DestroyedView:
    """Destroy a tenant's records of months that are over; their entries, and what they came to in
    usage and invoices, stay. Answers when none of them is left."""
    control: Control = request.app.state.control
    whose = caller.reach(body.tenant)
    if whose is None:
        raise BadInput("tenant", "say whose records")
    before = _unix_us(body.before) // 1_000_000
    done = control.destroying.destroy(caller.key, whose, before, only_tell=body.only_tell)
    return DestroyedView.of(done)


@router.get("/usage", responses=may(400, 404))
def usage(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("usage"))],
    tenant: str | None = None,
    since: str | None = None,
) -> list[UsageView]:
    """Usage per hour, deployment and key, from `since` (Unix seconds or ISO 8601) on."""
    control: Control = request.app.state.control
    rows = control.books.usage(caller.reach(tenant), _unix_us(since))
    return [UsageView.of(row) for row in rows]


@router.get("/vkey", response_class=PlainTextResponse)
def vkey(
    request: Request, caller: Annotated[Caller, Depends(caller_for("vkey"))]
) -> PlainTextResponse:
    """The log's one public key, in signed-note form."""
    del caller
    control: Control = request.app.state.control
    return PlainTextResponse(control.books.vkey + "\n")


def _lines(control: Control, tenant: str) -> Iterator[bytes]:
    for record in control.books.export(tenant):
        yield record + b"\n"


def _unix_us(since: str | None) -> int:
    if since is None:
        return 0
    if since.isascii() and since.isdigit() and len(since) <= 11:
        return int(since) * 1_000_000
    try:
        when = datetime.fromisoformat(since)
    except ValueError:
        raise BadInput("since", "give Unix seconds, or a date or time in ISO 8601") from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()) * 1_000_000

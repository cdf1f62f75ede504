"""/v1/batches: files of requests, answered in the gaps that models have, as OpenAI's clients know
them."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from pydantic import Field, StringConstraints

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.dialect import After, Listed
from inland.api.files import whose
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.batches.batches import NewBatch
from inland.domain.batches import Batch, BatchState
from inland.plant.files import file_id

router = APIRouter(prefix="/v1/batches", tags=["batches"])

#: When each state began, by how OpenAI calls that.
_TIMES = {
    "in_progress_at": BatchState.IN_PROGRESS,
    "finalizing_at": BatchState.FINALIZING,
    "completed_at": BatchState.COMPLETED,
    "failed_at": BatchState.FAILED,
    "expired_at": BatchState.EXPIRED,
    "cancelling_at": BatchState.CANCELLING,
    "cancelled_at": BatchState.CANCELLED,
}
MetadataName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataText = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataName, MetadataText], Field(max_length=16)]
BatchId = Annotated[str, InPath(max_length=128)]


class AddBatch(Shape):
    """A batch to begin. `input_file_id`: a file whose label lets it be served here."""

    input_file_id: str = Field(max_length=128)
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
    completion_window: Literal["24h"]
    metadata: Metadata | None = None


class FlawView(Shape):
    """What is wrong with an input, or ended a batch."""

    code: str
    line: int | None
    message: str
    param: str | None


class Flaws(Shape):
    """All of these."""

    object: Literal["list"] = "list"
    data: list[FlawView]


class Counts(Shape):
    """Of its requests."""

    total: int
    completed: int
    failed: int


class BatchView(Shape):
    """A batch. `error_file_id`: answers that are refusals, and what was not asked any more."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: Flaws | None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: BatchState
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: Counts
    metadata: dict[str, str] | None

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """A batch as it is shown. Its files are there once it is over."""
        is_over = batch.state not in {
            BatchState.VALIDATING,
            BatchState.IN_PROGRESS,
            BatchState.FINALIZING,
            BatchState.CANCELLING,
        }
        flaws = [
            FlawView(code=one.code, line=one.line, message=one.message, param=one.param)
            for one in batch.flaws
        ]
        times: dict[str, Any] = {
            name: batch.times.get(state.value) for name, state in _TIMES.items()
        }
        return cls(
            id=batch.id,
            endpoint=batch.endpoint,
            errors=Flaws(data=flaws) if flaws else None,
            input_file_id=file_id(batch.input),
            status=batch.state,
            output_file_id=file_id(batch.output) if is_over and batch.output else None,
            error_file_id=file_id(batch.refused) if is_over and batch.refused else None,
            created_at=batch.created_unix_s,
            expires_at=batch.expires_unix_s,
            request_counts=Counts(total=batch.total, completed=batch.answered, failed=batch.failed),
            metadata=batch.metadata or None,
            **times,
        )


@router.post("", responses=may(400, 404, 409))
def create(
    request: Request,
    body: AddBatch,
    caller: Annotated[Caller, Depends(caller_for("batches.create"))],
) -> BatchView:
    """Begin a batch; it is read and held to its form first."""
    control: Control = request.app.state.control
    new = NewBatch(
        tenant=whose(caller),
        file=body.input_file_id,
        endpoint=body.endpoint,
        window=body.completion_window,
        metadata=dict(body.metadata or {}),
    )
    return BatchView.of(control.batches.batches.begin(caller.key, new))


@router.get("", responses=may(404))
def batches(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("batches.list"))],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: After = None,
) -> Listed[BatchView]:
    """The tenant's batches, the newest first."""
    control: Control = request.app.state.control
    page = control.batches.batches.page(whose(caller), after, limit)
    shown = [BatchView.of(one) for one in page.batches]
    return Listed(
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=page.more,
    )


@router.get("/{batch}", responses=may(404))
def show(
    request: Request,
    batch: BatchId,
    caller: Annotated[Caller, Depends(caller_for("batches.show"))],
) -> BatchView:
    """One batch, and how far it is."""
    control: Control = request.app.state.control
    return BatchView.of(control.batches.batches.show(whose(caller), batch))


@router.post("/{batch}/cancel", responses=may(404, 409))
def cancel(
    request: Request,
    batch: BatchId,
    caller: Annotated[Caller, Depends(caller_for("batches.cancel"))],
) -> BatchView:
    """Ask nothing more of it; what was answered becomes its files."""
    control: Control = request.app.state.control
    return BatchView.of(control.batches.batches.cancel(caller.key, whose(caller), batch))

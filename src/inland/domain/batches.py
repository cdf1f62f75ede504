"""Batches: a file of requests, asked in the gaps that a model has, and its answers as files.

As OpenAI's API has them, with its words for their states. Life cycles are tables.
"""

from dataclasses import dataclass, field
from enum import StrEnum

#: What stands before the id of the record that a batch begins with.
BATCH_ID = "batch_"


class BatchState(StrEnum):
    """Where a batch is; `BATCH_LIFE` holds the moves allowed."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"  # its answers are being made files
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"  # its window is over; what was answered by then is there
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"  # likewise


BATCH_LIFE: dict[BatchState, frozenset[BatchState]] = {
    BatchState.VALIDATING: frozenset(
        {BatchState.IN_PROGRESS, BatchState.FAILED, BatchState.CANCELLING}
    ),
    BatchState.IN_PROGRESS: frozenset({BatchState.FINALIZING, BatchState.CANCELLING}),
    BatchState.FINALIZING: frozenset({BatchState.COMPLETED, BatchState.FAILED, BatchState.EXPIRED}),
    BatchState.CANCELLING: frozenset({BatchState.CANCELLED, BatchState.FAILED}),
    BatchState.COMPLETED: frozenset(),
    BatchState.FAILED: frozenset(),
    BatchState.EXPIRED: frozenset(),
    BatchState.CANCELLED: frozenset(),
}
#: Of these something is left to be done.
UNDER_WAY = frozenset(state for state, moves in BATCH_LIFE.items() if moves)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a batch's input. `line`: from 1 on, None for the file as a whole."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """`id`: OpenAI's form of the id of the record that it begins with. `by`: the key that began it.
    `input`, `output`, `refused`: assets; the latter two are empty until there are such. `times`:
    when each state began. `total`, `answered`, `failed`: of requests, the latter two once it is
    over. `becomes`: what it is once its files are made, unless it is cancelled before.
    """

    id: str
    tenant: str
    by: str
    state: BatchState
    endpoint: str
    input: str
    created_unix_s: int
    expires_unix_s: int
    metadata: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    output: str = ""
    refused: str = ""
    total: int = 0
    answered: int = 0
    failed: int = 0
    flaws: tuple[Flaw, ...] = ()
    becomes: BatchState = BatchState.COMPLETED


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request of a batch, as the line of a file that it will be. `sealed`: under
    the key of the batch's input, with which it goes. `size`: bytes of the line, its end included.
    """

    batch: str
    number: int
    failed: bool
    size: int
    sealed: bytes

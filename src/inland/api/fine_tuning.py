"""/v1/fine_tuning/jobs: runs of lines that train, as OpenAI's clients know them."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from pydantic import BeforeValidator, Field, WithJsonSchema

from inland.api.access import Caller, caller_for
from inland.api.batches import Metadata
from inland.api.control import Control
from inland.api.dialect import After, Listed
from inland.api.files import whose
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.decide.lines.fine_tuning import learning_rate
from inland.domain.assets import ASSET
from inland.domain.errors import BadInput
from inland.domain.lines import LogLine, Method, RunState, StepKind, StepState
from inland.lines.fine_tuning import CHECKPOINT, EVENT, Job, JobCheckpoint, NewJob
from inland.plant.files import file_id

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])

Status = Literal["validating_files", "running", "succeeded", "failed", "cancelled"]
_ENDED: dict[RunState, Status] = {
    RunState.DONE: "succeeded",
    RunState.REFUSED: "failed",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
}
#: Which parameter it is that a check found wrong, by the first word of what it is about.
_PARAMS = {"train": "training_file", "holdout": "validation_file", "base": "model"}
#: How lines of a log begin that tell of an end.
_ERRORS = ("failed:", "refused:", "REFUSED:")


def _auto(value: Any) -> Any:
    """None for "auto", which is what is left out."""
    if value is None:
        raise ValueError("give a number, or auto")
    return None if value == "auto" else value


def _or_auto(number: dict[str, Any]) -> tuple[BeforeValidator, WithJsonSchema]:
    """What may be a number, or "auto"; told as one type, so that an error names the field alone."""
    either = {"anyOf": [{"type": "string", "const": "auto"}, number]}
    return BeforeValidator(_auto), WithJsonSchema(either)


Epochs = Annotated[
    Annotated[int, Field(ge=1, le=1000)] | None,
    *_or_auto({"type": "integer", "minimum": 1, "maximum": 1000}),
]
BatchSize = Annotated[
    Annotated[int, Field(ge=1, le=4096)] | None,
    *_or_auto({"type": "integer", "minimum": 1, "maximum": 4096}),
]
Multiplier = Annotated[
    Annotated[float, Field(ge=1e-3, le=100, allow_inf_nan=False)] | None,
    *_or_auto({"type": "number", "minimum": 1e-3, "maximum": 100}),
]
JobId = Annotated[str, InPath(max_length=128)]
Limit = Annotated[int, Query(ge=1, le=100)]


class Hyperparameters(Shape):
    """What is left out, or `auto`, is as the lines in examples/ have it."""

    n_epochs: Epochs = None
    batch_size: BatchSize = None
    learning_rate_multiplier: Multiplier = None


class Supervised(Shape):
    """Learning from conversations that end with an answer."""

    hyperparameters: Hyperparameters = Hyperparameters()


class SupervisedMethod(Shape):
    """How it is trained: by LoRA, from answers."""

    type: Literal["supervised"]
    supervised: Supervised = Supervised()


class AddJob(Shape):
    """A job to begin. `model`: a deployment. `suffix`: part of the new model's name."""

    model: str = Field(max_length=128)
    training_file: str = Field(max_length=128)
    validation_file: str | None = Field(default=None, max_length=128)
    hyperparameters: Hyperparameters | None = None
    method: SupervisedMethod | None = None
    suffix: str | None = Field(default=None, max_length=64)
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    metadata: Metadata | None = None
    integrations: Annotated[list[Any], Field(max_length=0)] | None = None


class Chosen(Shape):
    """What it is trained with."""

    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float


class ChosenSupervised(Shape):
    """As `Supervised`."""

    hyperparameters: Chosen


class ChosenMethod(Shape):
    """As `SupervisedMethod`."""

    type: Literal["supervised"] = "supervised"
    supervised: ChosenSupervised


class JobError(Shape):
    """Why it failed. `code`: the step that did, and how."""

    code: str
    message: str
    param: str | None


class JobView(Shape):
    """A job: a run of a line that trains. `fine_tuned_model`: once it serves."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    finished_at: int | None
    estimated_finish: None = None
    model: str
    fine_tuned_model: str | None
    organization_id: str
    status: Status
    training_file: str
    validation_file: str | None
    hyperparameters: Chosen
    method: ChosenMethod
    seed: int
    trained_tokens: int | None
    result_files: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    metadata: dict[str, str] | None
    error: JobError | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """A job as it is shown."""
        run, line, materials = job.run, job.line, job.run.materials
        assert line.method is not None
        chosen = _chosen(line.method, materials.base)
        trained = job.steps.get(StepKind.TRAIN)
        held = materials.holdout
        return cls(
            id=job.id,
            created_at=run.began_unix_us // 1_000_000,
            finished_at=None if run.ended_unix_us is None else run.ended_unix_us // 1_000_000,
            model=line.base,
            fine_tuned_model=line.release if run.state is RunState.DONE else None,
            organization_id=run.tenant,
            status=_status(job),
            training_file=file_id(materials.train[0].asset),
            validation_file=file_id(held[0].asset) if held else None,
            hyperparameters=chosen,
            method=ChosenMethod(supervised=ChosenSupervised(hyperparameters=chosen)),
            seed=line.method.seed,
            trained_tokens=None if trained is None else trained.outputs.get("tokens"),
            metadata=line.metadata or None,
            error=_error(job),
        )


class EventView(Shape):
    """Something that happened in a job: a line of its run's log."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "error"]
    type: Literal["message"] = "message"
    message: str
    data: None = None

    @classmethod
    def of(cls, job: str, line: LogLine) -> Self:
        """An event as it is shown."""
        return cls(
            id=f"{EVENT}{line.number}-{job}",
            created_at=line.unix_us // 1_000_000,
            level="error" if line.text.startswith(_ERRORS) else "info",
            message=f"{line.step}: {line.text}",
        )


class Metrics(Shape):
    """At a checkpoint."""

    step: int


class CheckpointView(Shape):
    """Where training is gone on from after a kill: an asset, which nothing serves."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuning_job_id: str
    fine_tuned_model_checkpoint: str
    step_number: int
    metrics: Metrics

    @classmethod
    def of(cls, job: str, kept: JobCheckpoint) -> Self:
        """A checkpoint as it is shown."""
        return cls(
            id=f"{CHECKPOINT}{kept.asset}",
            created_at=kept.created_unix_us // 1_000_000,
            fine_tuning_job_id=job,
            fine_tuned_model_checkpoint=f"{ASSET}{kept.asset}",
            step_number=kept.step,
            metrics=Metrics(step=kept.step),
        )


@router.post("", responses=may(400, 404, 409))
def create(
    request: Request,
    body: AddJob,
    caller: Annotated[Caller, Depends(caller_for("fine_tuning.create"))],
) -> JobView:
    """Begin a job: a line is declared whose gate releases what passes, and run. Its first step
    holds files, labels and base to all that a line's check does."""
    control: Control = request.app.state.control
    said = _hyperparameters(body)
    new = NewJob(
        tenant=whose(caller),
        model=body.model,
        training=body.training_file,
        validation=body.validation_file,
        suffix=body.suffix or "",
        epochs=said.n_epochs,
        batch=said.batch_size,
        rate=said.learning_rate_multiplier,
        seed=body.seed,
        metadata=dict(body.metadata or {}),
    )
    return JobView.of(control.lines.fine_tuning.begin(caller.key, new))


@router.get("", responses=may(404))
def jobs(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("fine_tuning.list"))],
    limit: Limit = 20,
    after: After = None,
) -> Listed[JobView]:
    """The tenant's runs that train, the newest first."""
    control: Control = request.app.state.control
    found = control.lines.fine_tuning.some(whose(caller), after)
    shown = [JobView.of(job) for job, _ in zip(found, range(limit + 1), strict=False)]
    return _page(shown, limit)


@router.get("/{job}", responses=may(404))
def show(
    request: Request,
    job: JobId,
    caller: Annotated[Caller, Depends(caller_for("fine_tuning.show"))],
) -> JobView:
    """One job, and how far it is."""
    control: Control = request.app.state.control
    return JobView.of(control.lines.fine_tuning.show(whose(caller), job))


@router.get("/{job}/events", responses=may(400, 404))
def events(
    request: Request,
    job: JobId,
    caller: Annotated[Caller, Depends(caller_for("fine_tuning.events"))],
    limit: Limit = 20,
    after: After = None,
) -> Listed[EventView]:
    """What happened in a job, the newest first."""
    control: Control = request.app.state.control
    found = control.lines.fine_tuning.events(whose(caller), job)
    return _page(_behind([EventView.of(job, one) for one in found], after), limit)


@router.get("/{job}/checkpoints", responses=may(400, 404))
def checkpoints(
    request: Request,
    job: JobId,
    caller: Annotated[Caller, Depends(caller_for("fine_tuning.checkpoints"))],
    limit: Limit = 20,
    after: After = None,
) -> Listed[CheckpointView]:
    """Where its training can be gone on from, the newest first."""
    control: Control = request.app.state.control
    found = control.lines.fine_tuning.checkpoints(whose(caller), job)
    return _page(_behind([CheckpointView.of(job, one) for one in found], after), limit)


@router.post("/{job}/cancel", responses=may(404, 409))
def cancel(
    request: Request,
    job: JobId,
    caller: Annotated[Caller, Depends(caller_for("fine_tuning.cancel"))],
) -> JobView:
    """End it; answers when nothing is done for it any more."""
    control: Control = request.app.state.control
    return JobView.of(control.lines.fine_tuning.cancel(caller.key, whose(caller), job))


def _hyperparameters(body: AddJob) -> Hyperparameters:
    """Said in either place. Raises BadInput where both say something, and not the same."""
    one = body.hyperparameters
    two = None if body.method is None else body.method.supervised.hyperparameters
    if one is not None and two is not None and one != two:
        raise BadInput("hyperparameters", "method says others: give them there alone")
    return one or two or Hyperparameters()


def _chosen(method: Method, base: str | None) -> Chosen:
    return Chosen(
        n_epochs=method.epochs,
        batch_size=method.batch,
        learning_rate_multiplier=round(method.learning_rate / learning_rate(base), 6),
    )


def _status(job: Job) -> Status:
    if job.run.state is not RunState.RUNNING:
        return _ENDED[job.run.state]
    checked = job.steps.get(StepKind.CHECK)
    is_checked = checked is not None and checked.state is StepState.DONE
    return "running" if is_checked else "validating_files"


def _error(job: Job) -> JobError | None:
    """Of one that failed: by the step at which it did."""
    if _status(job) != "failed":
        return None
    ended = (StepState.REFUSED, StepState.FAILED)
    step = next((one for one in job.steps.values() if one.state in ended), None)
    if step is None:
        return JobError(code="failed", message=job.run.why, param=None)
    found: Any = step.outputs.get("findings") or ({},)
    about = str(found[0].get("about", "")).partition(" ")[0]
    code = f"{step.kind.value}_{step.state.value}"
    return JobError(code=code, message=job.run.why, param=_PARAMS.get(about))


def _behind(found: list[Any], after: str | None) -> list[Any]:
    """Those after the one of that id. Raises BadInput for one that is not there (any more)."""
    if after is None:
        return found
    ids = [one.id for one in found]
    if after not in ids:
        raise BadInput("after", "is none of these; begin without it")
    return found[ids.index(after) + 1 :]


def _page(shown: list[Any], limit: int) -> Listed[Any]:
    return Listed(
        data=shown[:limit],
        first_id=shown[0].id if shown else None,
        last_id=shown[:limit][-1].id if shown else None,
        has_more=len(shown) > limit,
    )

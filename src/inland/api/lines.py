"""/factory/v1/lines and /factory/v1/runs: production lines, and the passes made of them."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.releases import OriginView
from inland.api.shapes import Shape
from inland.decide.lines.line_file import TEXT_BYTES
from inland.domain.errors import BadInput
from inland.domain.lines import KeptLine, LogLine, Run, RunState, Step, StepKind, StepState

router = APIRouter(prefix="/factory/v1", tags=["lines"])


class NewLine(Shape):
    """A line to add. `text`: its file, TOML. `tenant`: the caller's own where it has one."""

    tenant: str | None = Field(default=None, max_length=63)
    text: str = Field(max_length=TEXT_BYTES)


class LineUse(Shape):
    """Whose line is meant: the caller's own where it has a tenant."""

    tenant: str | None = Field(default=None, max_length=63)


class LinePause(LineUse):
    """`paused` false lets it run again."""

    paused: bool = True


class LineView(Shape):
    """A line. `refused`: why a trigger of it began nothing lately."""

    name: str
    tenant: str
    base: str
    method: str | None
    steps: list[StepKind]
    triggers: list[str]
    paused: bool
    added: int
    text: str
    refused: str | None

    @classmethod
    def of(cls, control: Control, kept: KeptLine) -> Self:
        """A line as it is shown."""
        line = kept.line
        return cls(
            name=line.name,
            tenant=kept.tenant,
            base=line.base,
            method=None if line.method is None else line.method.kind.value,
            steps=list(line.steps),
            triggers=[one.kind.value for one in line.triggers],
            paused=kept.paused,
            added=kept.added_unix_s,
            text=kept.text,
            refused=control.lines.triggers.refused.get((kept.tenant, line.name)),
        )


class StepView(Shape):
    """A step of a run. `inputs`, `outputs`: by which digests they are known; `told`: the outputs.
    `reused`: the run that did the same before."""

    kind: StepKind
    state: StepState
    why: str
    inputs: str
    outputs: str | None
    told: dict[str, Any]
    receipts: list[str]
    reused: str | None
    began: float
    ended: float | None

    @classmethod
    def of(cls, step: Step) -> Self:
        """A step as it is shown."""
        return cls(
            kind=step.kind,
            state=step.state,
            why=step.why,
            inputs=step.inputs_digest,
            outputs=step.outputs_digest or None,
            told=step.outputs,
            receipts=list(step.receipts),
            reused=step.reused or None,
            began=step.began_unix_us / 1e6,
            ended=None if step.ended_unix_us is None else step.ended_unix_us / 1e6,
        )


class ProgressView(Shape):
    """How far the step under way is: `done` of `total`, at `what`."""

    step: str
    done: int
    total: int
    what: str


class RunView(Shape):
    """A run of a line. `by`: the key or the trigger that began it."""

    id: str
    tenant: str
    line: str
    by: str
    state: RunState
    why: str
    began: float
    ended: float | None
    progress: ProgressView | None

    @classmethod
    def of(cls, control: Control, run: Run) -> Self:
        """A run as it is shown."""
        found = control.lines.worker.progress(run.id)
        return cls(
            id=run.id,
            tenant=run.tenant,
            line=run.line,
            by=run.by,
            state=run.state,
            why=run.why,
            began=run.began_unix_us / 1e6,
            ended=None if run.ended_unix_us is None else run.ended_unix_us / 1e6,
            progress=None
            if found is None
            else ProgressView(step=found.step, done=found.done, total=found.total, what=found.what),
        )


class WholeRun(Shape):
    """A run with its steps, in order, and what the line's names stood for."""

    run: RunView
    steps: list[StepView]
    materials: dict[str, list[str]]


class LogView(Shape):
    """A line of a run's log."""

    number: int
    time: float
    step: str
    text: str

    @classmethod
    def of(cls, line: LogLine) -> Self:
        """A line as it is shown."""
        return cls(number=line.number, time=line.unix_us / 1e6, step=line.step, text=line.text)


class RefusalView(Shape):
    """An in-toto statement of a run that was refused, in a DSSE envelope, as JSON text, under the
    factory's key for models; and what the log has of the run."""

    id: str
    envelope: str
    origin: OriginView


@router.post("/lines", status_code=201, responses=may(400, 404, 409))
def add(
    request: Request, body: NewLine, caller: Annotated[Caller, Depends(caller_for("lines.add"))]
) -> LineView:
    """Declare a line, or declare the one of that name anew."""
    control: Control = request.app.state.control
    tenant = _tenant(caller, body.tenant)
    return LineView.of(control, control.lines.lines.add(caller.key, tenant, body.text))


@router.get("/lines", responses=may(404))
def lines(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("lines.list"))],
    tenant: str | None = None,
) -> list[LineView]:
    """The lines of one tenant, or of all."""
    control: Control = request.app.state.control
    return [LineView.of(control, one) for one in control.lines.lines.all(caller.reach(tenant))]


@router.get("/lines/{line}", responses=may(400, 404))
def line(
    request: Request,
    line: str,
    caller: Annotated[Caller, Depends(caller_for("lines.show"))],
    tenant: str | None = None,
) -> LineView:
    """One line."""
    control: Control = request.app.state.control
    return LineView.of(control, control.lines.lines.show(_tenant(caller, tenant), line))


@router.post("/lines/{line}/pause", responses=may(400, 404))
def pause(
    request: Request,
    line: str,
    body: LinePause,
    caller: Annotated[Caller, Depends(caller_for("lines.pause"))],
) -> LineView:
    """Let no run of it begin, or let them begin again."""
    control: Control = request.app.state.control
    tenant = _tenant(caller, body.tenant)
    kept = control.lines.lines.pause(caller.key, tenant, line, paused=body.paused)
    return LineView.of(control, kept)


@router.post("/lines/{line}/run", status_code=202, responses=may(400, 403, 404, 409))
def run(
    request: Request,
    line: str,
    body: LineUse,
    caller: Annotated[Caller, Depends(caller_for("lines.run"))],
) -> RunView:
    """Begin a run; `GET /factory/v1/runs/{run}` tells how it goes."""
    control: Control = request.app.state.control
    tenant = _tenant(caller, body.tenant)
    begun = control.lines.runs.begin(tenant, line, caller.name, caller.key)
    return RunView.of(control, begun)


@router.get("/runs", responses=may(404))
def runs(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("runs.list"))],
    tenant: str | None = None,
    line: str | None = None,
) -> list[RunView]:
    """Runs, the newest first."""
    control: Control = request.app.state.control
    found = control.lines.runs.all(caller.reach(tenant), line)
    return [RunView.of(control, one) for one in found]


@router.get("/runs/{run}", responses=may(404))
def one(
    request: Request, run: str, caller: Annotated[Caller, Depends(caller_for("runs.show"))]
) -> WholeRun:
    """One run, its steps and what it works with."""
    control: Control = request.app.state.control
    found, steps = control.lines.runs.show(caller.tenant, run)
    materials = found.materials
    named = {"train": materials.train, "holdout": materials.holdout, "suites": materials.suites}
    return WholeRun(
        run=RunView.of(control, found),
        steps=[StepView.of(step) for step in steps.values()],
        materials={
            "model": [materials.model],
            **{name: [each.asset for each in some] for name, some in named.items()},
        },
    )


@router.get("/runs/{run}/logs", responses=may(404))
def logs(
    request: Request,
    run: str,
    caller: Annotated[Caller, Depends(caller_for("runs.logs"))],
    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0,
) -> list[LogView]:
    """What happened in a run, from the line behind number `after` on."""
    control: Control = request.app.state.control
    return [LogView.of(one) for one in control.lines.runs.logs(caller.tenant, run, after)]


@router.get("/runs/{run}/refusal", responses=may(404, 409))
def refusal(
    request: Request, run: str, caller: Annotated[Caller, Depends(caller_for("runs.refusal"))]
) -> RefusalView:
    """What is signed of a run that was refused, and where that comes from, as the log has it."""
    control: Control = request.app.state.control
    envelope, origin = control.lines.refusals.signed(caller.tenant, run)
    return RefusalView(id=run, envelope=envelope, origin=OriginView.of(origin))


@router.post("/runs/{run}/resume", responses=may(403, 404, 409))
def resume(
    request: Request, run: str, caller: Annotated[Caller, Depends(caller_for("runs.resume"))]
) -> RunView:
    """Go on with a run that stopped short, behind its last finished step."""
    control: Control = request.app.state.control
    return RunView.of(control, control.lines.runs.resume(caller.key, caller.tenant, run))


@router.post("/runs/{run}/cancel", responses=may(404, 409))
def cancel(
    request: Request, run: str, caller: Annotated[Caller, Depends(caller_for("runs.cancel"))]
) -> RunView:
    """End a run, and take back what it had begun to roll out; answers when nothing is done for it
    any more."""
    control: Control = request.app.state.control
    return RunView.of(control, control.lines.runs.cancel(caller.key, caller.tenant, run))


def _tenant(caller: Caller, named: str | None) -> str:
    """Whose line is meant. Raises BadInput where staff name none."""
    tenant = caller.reach(named)
    if tenant is None:
        raise BadInput("tenant", "say whose line it is")
    return tenant

"""/factory/v1/deployments/{name}/measure: what a deployment can do, as measured."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.domain.capacity import Point, Profile, StepModel
from inland.plant.measuring import Measurement, Stage

router = APIRouter(prefix="/factory/v1", tags=["deployments"])


class PointView(Shape):
    """One rung of the ladder: `concurrency` requests of `prompt_tokens` each."""

    prompt_tokens: int
    concurrency: int
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    step_s: float

    @classmethod
    def of(cls, point: Point) -> Self:
        """A rung as it is shown."""
        return cls(
            prompt_tokens=point.prompt_tokens,
            concurrency=point.concurrency,
            prefill_tokens_per_s=round(point.prefill_tokens_per_s, 1),
            decode_tokens_per_s=round(point.decode_tokens_per_s, 1),
            step_s=round(point.step_s, 6),
        )


class ModelOfSteps(Shape):
    """How long a step takes: `overhead_s`, the larger of `weights_s` and `sequence_s` for each
    sequence, `prompt_s` for each prompt token read, `context_s` for each token kept."""

    overhead_s: float
    weights_s: float
    sequence_s: float
    prompt_s: float
    context_s: float

    @classmethod
    def of(cls, model: StepModel) -> Self:
        """A model as it is shown."""
        return cls(
            overhead_s=model.overhead_s,
            weights_s=model.weights_s,
            sequence_s=model.sequence_s,
            prompt_s=model.prompt_s,
            context_s=model.context_s,
        )


class ProfileView(Shape):
    """What one replica was measured to do. `settings`: measured of. `knee`: the concurrency beyond
    which tokens/s stop growing. `error`: the model's largest relative error over the points, `r2`:
    its coefficient of determination. `beside_tokens`: made for others meanwhile. `refitted_unix_s`:
    when live traffic corrected the model last."""

    measured_unix_s: int
    settings: str
    knee: int
    error: float
    r2: float
    beside_tokens: int
    refitted_unix_s: int | None
    model: ModelOfSteps
    points: list[PointView]

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """A profile as it is shown."""
        return cls(
            measured_unix_s=profile.measured_unix_s,
            settings=profile.settings,
            knee=profile.knee,
            error=round(profile.error, 4),
            r2=round(profile.r2, 4),
            beside_tokens=profile.beside_tokens,
            refitted_unix_s=profile.refitted_unix_s,
            model=ModelOfSteps.of(profile.model),
            points=[PointView.of(point) for point in profile.points],
        )


class MeasurementView(Shape):
    """A measurement under way or over. Of `rungs`, `tried` are behind it, `left_out` of these for
    want of time or room; `doing`: the one under way; `why`: it failed."""

    deployment: str
    replica: str
    stage: Stage
    rungs: int
    tried: int
    left_out: int
    doing: str
    why: str
    points: list[PointView]

    @classmethod
    def of(cls, one: Measurement) -> Self:
        """A measurement as it is shown."""
        return cls(
            deployment=one.deployment,
            replica=one.replica,
            stage=one.stage,
            rungs=one.rungs,
            tried=one.tried,
            left_out=one.left_out,
            doing=one.doing,
            why=one.why,
            points=[PointView.of(point) for point in one.points],
        )


@router.post("/deployments/{name}/measure", status_code=202, responses=may(404, 409))
def measure(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("deployments.measure"))],
) -> MeasurementView:
    """Begin to measure what it can do: about a minute, beside its tenants' traffic. One at a time;
    `measurement` tells how it goes."""
    control: Control = request.app.state.control
    return MeasurementView.of(control.measuring.measure(caller.name, name))


@router.get("/deployments/{name}/measurement", responses=may(404))
def measurement(
    request: Request,
    name: str,
    caller: Annotated[Caller, Depends(caller_for("deployments.measurement"))],
) -> MeasurementView:
    """How measuring it goes, or went since control began."""
    del caller
    control: Control = request.app.state.control
    return MeasurementView.of(control.measuring.last(name))

"""/factory/v1/jobs: commands that read a tenant's assets."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.domain.assets import Action
from inland.plant.jobs import MAX_ASSETS, MAX_READABLE, MAX_WORDS, Job, JobOrder, JobState

router = APIRouter(prefix="/factory/v1/jobs", tags=["jobs"])


class NewJob(Shape):
    """A job to run. `command`: a program of this machine and its words, of which `asset:ID` stands
    for where that asset's file is. `readable`: absolute paths it may read besides the system's."""

    tenant: str = Field(max_length=63)
    purpose: Action = Action.TRAIN
    assets: list[str] = Field(max_length=MAX_ASSETS)
    command: list[str] = Field(max_length=MAX_WORDS)
    readable: list[str] = Field(default=[], max_length=MAX_READABLE)
    seconds: int | None = None

    def order(self) -> JobOrder:
        """What the plant is asked."""
        return JobOrder(
            self.tenant,
            self.purpose,
            tuple(self.assets),
            tuple(self.command),
            tuple(self.readable),
            self.seconds,
        )


class JobView(Shape):
    """A job. `output`: the asset that holds what it printed. `why`: it failed, was ended, or its
    output is not kept. `exit_status`: negative for a signal, null where it was ended."""

    id: str
    tenant: str
    purpose: Action
    assets: list[str]
    command: list[str]
    isolation: str
    state: JobState
    why: str
    exit_status: int | None
    pid: int | None
    began: int
    ended: int | None
    output: str | None
    printed_bytes: int

    @classmethod
    def of(cls, job: Job) -> Self:
        """A job as it is shown."""
        return cls(
            id=job.id,
            tenant=job.tenant,
            purpose=job.purpose,
            assets=list(job.assets),
            command=list(job.command),
            isolation=job.isolation,
            state=job.state,
            why=job.why,
            exit_status=job.exit_status,
            pid=job.pid,
            began=job.began_unix_s,
            ended=job.ended_unix_s,
            output=job.output,
            printed_bytes=job.printed_bytes,
        )


@router.post("", status_code=202, responses=may(400, 403, 404, 409))
def run(
    request: Request, body: NewJob, caller: Annotated[Caller, Depends(caller_for("jobs.run"))]
) -> JobView:
    """Begin a command that reads a tenant's assets; `GET` tells how it goes."""
    control: Control = request.app.state.control
    return JobView.of(control.assets.jobs.run(caller.key, body.order()))


@router.get("", responses=may(404))
def jobs(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("jobs.list"))],
    tenant: str | None = None,
) -> list[JobView]:
    """Jobs under way, and the last that ended since control began."""
    control: Control = request.app.state.control
    return [JobView.of(job) for job in control.assets.jobs.all(caller.reach(tenant))]


@router.get("/{job}", responses=may(404))
def one(
    request: Request, job: str, caller: Annotated[Caller, Depends(caller_for("jobs.show"))]
) -> JobView:
    """One job."""
    control: Control = request.app.state.control
    return JobView.of(control.assets.jobs.show(caller.tenant, job))


@router.post("/{job}/stop", responses=may(404, 409))
def stop(
    request: Request, job: str, caller: Annotated[Caller, Depends(caller_for("jobs.stop"))]
) -> JobView:
    """End a job; answers when it, and all that it started, is gone."""
    control: Control = request.app.state.control
    return JobView.of(control.assets.jobs.stop(caller.name, caller.tenant, job))

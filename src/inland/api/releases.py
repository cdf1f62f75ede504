"""/factory/v1/releases: a tenant's own models, from proposal to live and back."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.decide.lines.live_score import score
from inland.domain.releases import Evidence, Pace, Release, ReleaseState
from inland.domain.thumbs import Thumb
from inland.lines.origins import Origin, origin_of
from inland.plant.release_orders import MOST_EVIDENCE, Order

router = APIRouter(prefix="/factory/v1/releases", tags=["releases"])

_DEFAULT = Pace()


class PaceView(Shape):
    """How a release reaches users: `percents` of them in turn, each for `soak_s` seconds and at
    least `samples` answers, until it is live at 100. It is taken back where it is worse than what
    is live by more than `error_points`, `ttft_percent` or `score_points`, or beyond `errors_most`
    (a fraction), `ttft_ms_most` or `live_score_least` (a fraction), whatever is live."""

    percents: list[int] = Field(default=list(_DEFAULT.percents), max_length=20)
    soak_s: int = _DEFAULT.soak_s
    samples: int = _DEFAULT.samples
    error_points: int = _DEFAULT.error_points
    ttft_percent: int = _DEFAULT.ttft_percent
    score_points: int = _DEFAULT.score_points
    thumbs: int = _DEFAULT.thumbs
    errors_most: float | None = None
    ttft_ms_most: int | None = None
    live_score_least: float | None = None


class EvidenceView(Shape):
    """Where it comes from, as whoever proposes it says: all of it is signed with the approval."""

    run: str = ""
    code: str = ""
    data: list[str] = Field(default=[], max_length=MOST_EVIDENCE)
    parameters: dict[str, str] = Field(default={})
    scores: dict[str, str] = Field(default={})
    gate: str = ""


class NewRelease(Shape):
    """A release to propose: a model `name` of the tenant whose asset `adapter` is, over a
    `deployment`."""

    name: str = Field(max_length=63)
    deployment: str = Field(max_length=63)
    adapter: str = Field(max_length=63)
    evidence: EvidenceView = EvidenceView()
    pace: PaceView = PaceView()

    def order(self) -> Order:
        """What the plant is asked."""
        evidence = self.evidence.model_dump()
        evidence["data"] = tuple(evidence["data"])
        pace = self.pace.model_dump()
        pace["percents"] = tuple(pace["percents"])
        return Order(self.name, self.deployment, self.adapter, Evidence(**evidence), Pace(**pace))


class ScoreView(Shape):
    """A live score, a fraction, and the interval (95 %) that it lies in."""

    point: float
    low: float
    high: float


class SeenView(Shape):
    """What answers came to. `ttft_ms`: the time that 95 of 100 first tokens came within. `thumbs`:
    what people said of them, of which `thumbs_up` were good; `score`: null where nobody did."""

    answers: int
    errors: int
    ttft_ms: int
    thumbs: int
    thumbs_up: int
    score: ScoreView | None

    @classmethod
    def of(cls, figures: dict[str, int]) -> Self:
        """Figures as they are shown."""
        found = score(Thumb(figures["thumbs_up"], figures["thumbs"]))
        if found is None:
            return cls(**figures, score=None)
        told = ScoreView(point=found.point, low=found.low, high=found.high)
        return cls(**figures, score=told)


class ComparedView(Shape):
    """A release beside what was live: answers since its last step, thumbs since it went out."""

    candidate: SeenView
    incumbent: SeenView


class ReleaseView(Shape):
    """A release. `percent`: of its users those it answers. `before`: the release that was live when
    it went out. `run`: of a line, that made it. `statement`: SHA-256 of what was signed when it was
    approved."""

    id: str
    tenant: str
    name: str
    deployment: str
    base_digest: str
    adapter: str
    digest: str
    state: ReleaseState
    percent: int
    proposed_by: str
    approved_by: str | None
    created: int
    since: int
    before: str | None
    why: str
    statement: str
    run: str
    evidence: EvidenceView
    pace: PaceView
    compared: ComparedView | None

    @classmethod
    def of(cls, release: Release) -> Self:
        """A release as it is shown."""
        evidence, pace = release.evidence, release.pace
        return cls(
            id=release.id,
            tenant=release.tenant,
            name=release.name,
            deployment=release.deployment,
            base_digest=release.base_digest,
            adapter=release.adapter,
            digest=release.digest,
            state=release.state,
            percent=release.percent,
            proposed_by=release.proposed_by,
            approved_by=release.approved_by,
            created=release.created_unix_s,
            since=release.since_unix_s,
            before=release.before,
            why=release.why,
            statement=release.statement,
            run=release.run,
            evidence=EvidenceView(
                run=evidence.run,
                code=evidence.code,
                data=list(evidence.data),
                parameters=evidence.parameters,
                scores=evidence.scores,
                gate=evidence.gate,
            ),
            compared=_compared(release),
            pace=PaceView(
                percents=list(pace.percents),
                soak_s=pace.soak_s,
                samples=pace.samples,
                error_points=pace.error_points,
                ttft_percent=pace.ttft_percent,
                score_points=pace.score_points,
                thumbs=pace.thumbs,
                errors_most=pace.errors_most,
                ttft_ms_most=pace.ttft_ms_most,
                live_score_least=pace.live_score_least,
            ),
        )


def _compared(release: Release) -> ComparedView | None:
    if not release.compared:
        return None
    both = {name: SeenView.of(figures) for name, figures in release.compared.items()}
    return ComparedView(**both)


class SignedStatement(Shape):
    """An in-toto statement in a DSSE envelope, as JSON text, under the factory's key for models."""

    id: str
    envelope: str


class NamedRecord(Shape):
    """A record of the log; its receipt is to be had by its `id`."""

    id: str
    what: str
    subject: str


class ShownStep(Shape):
    """A step of the run that made it: the texts whose SHA-256 the log has, and its requests."""

    inputs: str
    outputs: str
    receipts: list[str]


class OriginView(Shape):
    """Where a release comes from, or a run that came to none: the changes that tell of it, the
    oldest first, and the steps of the run, by kind."""

    records: list[NamedRecord]
    steps: dict[str, ShownStep]

    @classmethod
    def of(cls, origin: Origin) -> Self:
        """An origin as it is shown."""
        named = [
            NamedRecord(id=one["id"], what=one["what"], subject=one["subject"])
            for one in origin.records
        ]
        steps = {
            kind: ShownStep(inputs=one.inputs, outputs=one.outputs, receipts=list(one.receipts))
            for kind, one in origin.steps.items()
        }
        return cls(records=named, steps=steps)


@router.post("", status_code=201, responses=may(400, 403, 404, 409))
def propose(
    request: Request,
    body: NewRelease,
    caller: Annotated[Caller, Depends(caller_for("releases.propose"))],
) -> ReleaseView:
    """Put a release up for approval: its adapter is decided on and inspected."""
    control: Control = request.app.state.control
    return ReleaseView.of(control.releases.propose(caller.key, body.order()))


@router.get("", responses=may(404))
def releases(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("releases.list"))],
    tenant: str | None = None,
) -> list[ReleaseView]:
    """Every release, the newest first."""
    control: Control = request.app.state.control
    return [ReleaseView.of(one) for one in control.releases.all(caller.reach(tenant))]


@router.get("/{release}", responses=may(404))
def one(
    request: Request,
    release: str,
    caller: Annotated[Caller, Depends(caller_for("releases.show"))],
) -> ReleaseView:
    """One release."""
    control: Control = request.app.state.control
    return ReleaseView.of(control.releases.show(caller.tenant, release))


@router.get("/{release}/statement", responses=may(404))
def statement(
    request: Request,
    release: str,
    caller: Annotated[Caller, Depends(caller_for("releases.statement"))],
) -> SignedStatement:
    """What was signed when it was approved."""
    control: Control = request.app.state.control
    signed = control.releases.signed(caller.tenant, release)
    return SignedStatement(id=release, envelope=signed)


@router.get("/{release}/origin", responses=may(404, 409))
def origin(
    request: Request,
    release: str,
    caller: Annotated[Caller, Depends(caller_for("releases.origin"))],
) -> OriginView:
    """Where it comes from, as the log has it."""
    control: Control = request.app.state.control
    found = control.releases.show(caller.tenant, release)
    return OriginView.of(origin_of(control.store, found))


@router.post("/{release}/approve", responses=may(400, 403, 404, 409))
def approve(
    request: Request,
    release: str,
    caller: Annotated[Caller, Depends(caller_for("releases.approve"))],
) -> ReleaseView:
    """Sign a release, and have engines load it: it goes out by itself once they have."""
    control: Control = request.app.state.control
    return ReleaseView.of(control.releases.approve(caller.key, caller.tenant, release))


@router.post("/{release}/rollback", responses=may(404, 409))
def rollback(
    request: Request,
    release: str,
    caller: Annotated[Caller, Depends(caller_for("releases.rollback"))],
) -> ReleaseView:
    """Take a release back; answers when what was live before it answers alone."""
    control: Control = request.app.state.control
    return ReleaseView.of(control.releases.rollback(caller.key, caller.tenant, release))

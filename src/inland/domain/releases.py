"""Releases: a model of one tenant is a base that is served and an adapter of the tenant's.

A release's `name` is a model name of its tenant alone: another tenant's same name is another model.
One that a run of a line made begins as its candidate, under a name for the run's key alone.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class ReleaseState(StrEnum):
    """Where a release is in its life; `RELEASE_LIFE` holds the moves allowed."""

    CANDIDATE = "candidate"  # of a run: engines are being started that have its adapter
    ON_TRIAL = "on-trial"  # its run alone is answered by it
    PROPOSED = "proposed"  # nothing serves it
    APPROVED = "approved"  # engines are being started that have its adapter
    ROLLING_OUT = "rolling-out"  # some of its name's requests are its own
    LIVE = "live"  # all of them are
    ROLLED_BACK = "rolled-back"  # what was live before it is live again
    RETIRED = "retired"  # another one took its place, or its adapter went


#: Allowed moves of a release. One that is retired is live again where what came after it is rolled
#: back, and a candidate again where its run goes on and nobody had approved it; so is one that was
#: rolled back because its run was cancelled.
RELEASE_LIFE: dict[ReleaseState, frozenset[ReleaseState]] = {
    ReleaseState.CANDIDATE: frozenset({ReleaseState.ON_TRIAL, ReleaseState.RETIRED}),
    ReleaseState.ON_TRIAL: frozenset({ReleaseState.PROPOSED, ReleaseState.RETIRED}),
    ReleaseState.PROPOSED: frozenset({ReleaseState.APPROVED, ReleaseState.RETIRED}),
    ReleaseState.APPROVED: frozenset(
        {
            ReleaseState.ROLLING_OUT,
            ReleaseState.LIVE,
            ReleaseState.ROLLED_BACK,
            ReleaseState.RETIRED,
        }
    ),
    ReleaseState.ROLLING_OUT: frozenset(
        {ReleaseState.LIVE, ReleaseState.ROLLED_BACK, ReleaseState.RETIRED}
    ),
    ReleaseState.LIVE: frozenset({ReleaseState.ROLLED_BACK, ReleaseState.RETIRED}),
    ReleaseState.ROLLED_BACK: frozenset({ReleaseState.RETIRED, ReleaseState.CANDIDATE}),
    ReleaseState.RETIRED: frozenset({ReleaseState.LIVE, ReleaseState.CANDIDATE}),
}

#: A release under way: its name can have one at a time.
UNDER_WAY = frozenset({ReleaseState.APPROVED, ReleaseState.ROLLING_OUT})
#: A release that nobody approved: where a run made it, it goes with the run.
UNAPPROVED = frozenset({ReleaseState.CANDIDATE, ReleaseState.ON_TRIAL, ReleaseState.PROPOSED})

#: What stands between a line and its run in a candidate's name, and in no name that anybody gives.
OF_RUN = "@"


def candidate_name(line: str, run: str) -> str:
    """What a run calls its candidate by."""
    return f"{line}{OF_RUN}{run}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a release reaches its tenant's users: `percents` of them in turn, each for `soak_s`
    seconds and no fewer than `samples` answers; at 100 it is live, whether that is said or not.

    What takes it back, against what was live in the same time: more errors (`error_points`, of a
    hundred answers), a first token so much later (`ttft_percent`), a live score so much lower
    (`score_points`, of a hundred, surely so by no fewer than `thumbs` of each). And, whatever was
    live: errors beyond `errors_most` (a fraction of answers), first tokens (95 of 100) later than
    `ttft_ms_most`, a live score surely beneath `live_score_least` (a fraction)."""

    percents: tuple[int, ...] = (10, 50, 100)
    soak_s: int = 600
    samples: int = 50
    error_points: int = 2
    ttft_percent: int = 50
    score_points: int = 5
    thumbs: int = 20
    errors_most: float | None = None
    ttft_ms_most: int | None = None
    live_score_least: float | None = None

    @property
    def shares(self) -> tuple[int, ...]:
        """The percents at which something else answers the others."""
        return tuple(one for one in self.percents if one < 100)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a release comes from, as whoever proposes it says. `data`: digests of what it was
    trained on; `code`: the version that did it; `gate`: its verdict. Values are texts: a score is
    as it was printed."""

    run: str = ""
    code: str = ""
    data: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    scores: dict[str, str] = field(default_factory=dict)
    gate: str = ""


USUAL_PACE, NO_EVIDENCE = Pace(), Evidence()
#: Live as soon as engines have it.
AT_ONCE = Pace(percents=(100,))


@dataclass(frozen=True, slots=True)
class Release:
    """`adapter`: the asset; `digest`: its, as records have it. `step`: which of the percents it is
    at. `since_unix_s`: when its state or step was last another. `before`: the release that was live
    when it went out. `why`: what took it back or retired it. `statement`: SHA-256, hex, of the one
    that was signed; empty while it is not approved. `waits`: it was in a list of adapters that did
    not load, and is left out of the next. `past`: no engine need have it any more. `run`: of a
    line, that made it, whose id is the release's too: no run makes two. `key`: that run's, which
    alone may ask for a candidate. `out_unix_s`: when its first users were answered by it.
    `compared`: what it (`candidate`) and what was live (`incumbent`) came to when its rollout was
    judged last."""

    id: str
    tenant: str
    name: str
    deployment: str
    base_digest: str
    adapter: str
    digest: str
    state: ReleaseState
    proposed_by: str
    created_unix_s: int
    since_unix_s: int
    pace: Pace = USUAL_PACE
    evidence: Evidence = NO_EVIDENCE
    step: int = 0
    approved_by: str | None = None
    before: str | None = None
    why: str = ""
    statement: str = ""
    waits: bool = False
    past: bool = False
    run: str = ""
    key: str = ""
    out_unix_s: int = 0
    compared: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def percent(self) -> int:
        """Of its name's users those that are answered by it."""
        match self.state:
            case ReleaseState.LIVE:
                return 100
            case ReleaseState.ROLLING_OUT:
                return self.pace.shares[self.step]
            case _:
                return 0


@dataclass(frozen=True, slots=True)
class Serving:
    """A release as gateways know it: `percent` of those who ask `tenant`'s model `name` are
    answered by `adapter` on `deployment`. `key`: the one that may ask for it; empty for any of the
    tenant's."""

    release: str
    tenant: str
    name: str
    deployment: str
    adapter: str
    percent: int
    key: str = ""

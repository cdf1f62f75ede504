"""The release: what passed the gate, put up for approval with all that is known of it.

A line whose gate approves goes on at once; any other waits for a person, for as long as it takes.
"""

from hashlib import sha256
from typing import Any

from inland import __version__
from inland.domain.lines import Approval, StepKind
from inland.domain.releases import Evidence, Release, ReleaseState
from inland.lines.steps.baseline import demand_same
from inland.lines.steps.evaluate import Trials
from inland.lines.steps.step import Doing, Outcome, Waiting
from inland.plant.candidates import Candidates
from inland.plant.release_orders import EVIDENCE_CHARS

#: What an asset's digest is, under a key of its tenant's.
MAC = "hmac-sha256"
#: Of what a training came to, what is signed besides its parameters.
_TRAINED = ("order", "digest", "safetensors", "loss", "holdout_loss", "tokens", "seconds")


class Releasing:
    """Proposes a run's candidate, once, and sees to its approval."""

    def __init__(self, candidates: Candidates, trials: Trials) -> None:
        self._candidates = candidates
        self._trials = trials

    def __call__(self, doing: Doing) -> Outcome | Waiting:
        run, line = doing.run, doing.line
        assert line.release is not None
        found = self._candidates.of(run)
        if found is None or found.approved_by is None:
            standing = self._candidates.standing(run.tenant, line.release)
            if standing.live is not None and _is_same(standing.live, doing):
                doing.say(f"what was trained is what {line.release} serves already")
                return _outcome(standing.live)
            demand_same(doing, standing)
            proposed = self._proposed(doing, found)
            if isinstance(proposed, Waiting):
                return proposed
            if line.approve is Approval.PERSON:
                return Waiting(f"awaiting approval: inland release approve {proposed.id}")
            if standing.coming is not None:
                coming = standing.coming
                return Waiting(f"release {coming.id} of {line.release} is {coming.state.value}")
            found = self._candidates.approve(run)
        doing.say(f"release {found.id} of {found.name} was approved by {found.approved_by}")
        return _outcome(found)

    def _proposed(self, doing: Doing, found: Release | None) -> Release | Waiting:
        if found is not None and found.state is ReleaseState.PROPOSED:
            return found
        tried = self._trials.of(doing)
        if isinstance(tried, Waiting):
            return tried
        assert doing.line.release is not None
        evidence = evidence_of(doing)
        return self._candidates.propose(doing.run, doing.line.release, evidence, doing.line.pace)


class Rollout:
    """Follows a release until all of its users are answered by it, or none."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    def __call__(self, doing: Doing) -> Outcome | Waiting:
        named = str(doing.steps[StepKind.RELEASE].outputs["release"])
        release = self._candidates.show(doing.run.tenant, named)
        match release.state:
            case ReleaseState.LIVE:
                doing.say(f"release {release.id} of {release.name} is live")
                return Outcome({"release": release.id, "state": release.state.value})
            case ReleaseState.APPROVED:
                return Waiting(f"engines of {release.deployment} load release {release.id}")
            case ReleaseState.ROLLING_OUT:
                what = f"{release.percent} % of the users of {release.name} have it"
                return Waiting(what, self._candidates.how(release))
            case _:
                outputs = {"release": release.id, "state": release.state.value}
                why = f"release {release.id} is {release.state.value}: {release.why}"
                return Outcome(outputs, refused=why)


def evidence_of(doing: Doing) -> Evidence:
    """All that is known of what a run made, as it is signed with its approval."""
    run, steps = doing.run, doing.steps
    materials = run.materials
    return Evidence(
        run=run.id,
        code=f"inland {__version__}",
        data=tuple(f"{MAC}:{one.digest}" for one in (*materials.train, *materials.holdout)),
        parameters=_parameters(doing),
        scores={
            **_scores("", steps[StepKind.EVALUATE].outputs),
            **_scores("serving ", steps[StepKind.BASELINE].outputs),
        },
        gate=_verdict(steps[StepKind.GATE].outputs),
    )


def _parameters(doing: Doing) -> dict[str, str]:
    """Of the training, and which file declared it: the record of whoever added the line has its
    digest."""
    method = doing.steps[StepKind.TRAIN].inputs.get("method") or {}
    trained = doing.steps[StepKind.TRAIN].outputs
    return {
        "line": doing.line.name,
        "line_sha256": sha256(doing.run.text.encode()).hexdigest(),
        **{name: str(value) for name, value in method.items()},
        **{f"trained.{name}": str(trained[name]) for name in _TRAINED if name in trained},
    }


def _scores(whose: str, outputs: dict[str, Any]) -> dict[str, str]:
    return {
        f"{whose}{name}": f"{one['point']:.3f} ({one['low']:.3f} to {one['high']:.3f}, "
        f"{one['count']} tasks)"
        for name, one in outputs["scores"].items()
    }


def _verdict(outputs: dict[str, Any]) -> str:
    told = "; ".join(str(one["why"]) for one in outputs["findings"])
    return f"passed: {told}"[:EVIDENCE_CHARS]


def _is_same(live: Release, doing: Doing) -> bool:
    same = live.adapter == str(doing.steps[StepKind.TRAIN].outputs["adapter"])
    return same and live.base_digest == (doing.run.materials.base or "")


def _outcome(release: Release) -> Outcome:
    return Outcome(
        {
            "release": release.id,
            "name": release.name,
            "approved_by": release.approved_by,
            "statement": release.statement,
        }
    )

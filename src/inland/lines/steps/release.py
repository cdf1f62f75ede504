"""The release: what passed the gate, put up for approval with all that is known of it.

A line whose gate approves goes on at once; any other waits for a person, for as long as it takes.
"""

from inland.domain.lines import Approval, StepKind
from inland.domain.releases import Release, ReleaseState
from inland.lines.evidence import CODE, evidence_of
from inland.lines.steps.baseline import demand_same
from inland.lines.steps.evaluate import Trials
from inland.lines.steps.step import Doing, Outcome, Waiting
from inland.plant.candidates import Candidates


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
        evidence = evidence_of(doing.run, doing.steps, CODE)
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

"""Evaluation: how good a run's candidate is, or, of a line that trains nothing, the base itself.

A candidate is asked over the very engines that it would be served by, beside what serves there.
"""

from inland.domain.lines import StepKind
from inland.domain.releases import Release, ReleaseState
from inland.lines.run_keys import RunKeys
from inland.lines.steps.step import Doing, Outcome, Waiting
from inland.lines.steps.suites import Suites
from inland.plant.candidates import Candidates
from inland.plant.changes import Changes


class Trials:
    """Candidates of runs, until they can be asked."""

    def __init__(self, changes: Changes, candidates: Candidates, keys: RunKeys) -> None:
        self._changes = changes
        self._candidates = candidates
        self._keys = keys

    def of(self, doing: Doing) -> Release | Waiting:
        """What the run trained, once its key can ask for it. Raises what `Candidates.try_out`
        does."""
        run, line = doing.run, doing.line
        key = self._keys.id(run.id, run.tenant, line.name)
        adapter = str(doing.steps[StepKind.TRAIN].outputs["adapter"])
        found = self._candidates.try_out(run, line.base, adapter, key)
        if found.state is ReleaseState.CANDIDATE:
            return Waiting(f"engines of {line.base} load the candidate")
        self._changes.wait_current()
        return found


class Evaluate:
    """How good a model is, by the suites of a line."""

    def __init__(self, suites: Suites, trials: Trials) -> None:
        self._suites = suites
        self._trials = trials

    def __call__(self, doing: Doing) -> Outcome | Waiting:
        if StepKind.TRAIN not in doing.steps:
            return self._suites.scored(doing, doing.line.base)
        candidate = self._trials.of(doing)
        if isinstance(candidate, Waiting):
            return candidate
        return self._suites.scored(doing, candidate.name)

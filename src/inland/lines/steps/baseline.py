"""The baseline: how good what serves now is, by the same suites, for the gate to compare with."""

from inland.domain.errors import Conflict
from inland.lines.steps.step import Doing, Outcome, Waiting
from inland.lines.steps.suites import Suites
from inland.plant.candidates import Candidates, Standing


class Baseline:
    """What is live under the name that a line releases, or, where nothing is, its base."""

    def __init__(self, suites: Suites, candidates: Candidates) -> None:
        self._suites = suites
        self._candidates = candidates

    def __call__(self, doing: Doing) -> Outcome | Waiting:
        line = doing.line
        if line.release is None:
            return self._suites.scored(doing, line.base)
        standing = self._candidates.standing(doing.run.tenant, line.release)
        if standing.coming is not None:
            coming = standing.coming
            return Waiting(f"release {coming.id} of {line.release} is {coming.state.value}")
        demand_same(doing, standing)
        serves = doing.run.materials.serves
        outcome = self._suites.scored(doing, line.base if serves is None else line.release)
        demand_same(doing, self._candidates.standing(doing.run.tenant, line.release))
        return outcome


def demand_same(doing: Doing, standing: Standing) -> None:
    """Raises Conflict where another release serves than when the run began: it was not compared
    with that one."""
    live = None if standing.live is None else standing.live.id
    if not doing.run.materials.is_compared_with(live):
        why = f"{doing.line.release} is another model by now; begin the run anew"
        raise Conflict(f"run {doing.run.id}", why)

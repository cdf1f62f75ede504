"""The gate: whether what a run made may be released, each reason in words.

A floor is reached by the interval's lower bound: not by luck. A regression is judged by the point,
its interval told beside it. What was not measured does not pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inland.decide.evaluation.intervals import difference, mean
from inland.decide.evaluation.leakage import Leak
from inland.domain.lines import Floor, Gate, Regression

#: What a difference of floating-point sums may be without being one.
_EXACT = 1e-9
#: Leaks that are told.
_TOLD = 5

#: Scores from 0 to 1 of a suite's tasks, in the suite's order, by the suite's name.
Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked. `suite` is empty where it is of the data."""

    suite: str
    passed: bool
    why: str

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'REFUSED'}: {self.why}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all passed, and each finding in the gate's order."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """A gate that asks nothing lets nothing through."""
        return bool(self.findings) and all(one.passed for one in self.findings)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why not, in words."""
        if not self.findings:
            return ("the gate asks nothing; name a score that must be reached",)
        return tuple(one.why for one in self.findings if not one.passed)


def judge(
    gate: Gate, candidate: Scores, incumbent: Scores, leaked: Sequence[Leak], seed: int
) -> Verdict:
    """`incumbent`: what serves now, on the same tasks. `leaked`: of the holdout into the training
    data. `seed`: of the bootstrap; the same scores and seed give the same verdict."""
    found = [_floor(floor, candidate, seed, "") for floor in gate.scores]
    found += [_regression(one, candidate, incumbent, seed) for one in gate.regressions]
    found += [_floor(floor, candidate, seed, "safety, ") for floor in gate.safety]
    if leaked:
        found.append(_leakage(leaked))
    return Verdict(tuple(found))


def _floor(floor: Floor, candidate: Scores, seed: int, kind: str) -> Finding:
    scores = candidate.get(floor.suite)
    what = f"{kind}{floor.suite}"
    if not scores:
        return _refused(floor.suite, f"{what}: was not measured")
    reached = mean(scores, seed)
    passed = reached.low >= floor.least - _EXACT
    how = "reaches" if passed else "does not reach"
    return Finding(
        floor.suite, passed, f"{what}: {reached} {how} {floor.least:.3f} by its lower bound"
    )


def _regression(allowed: Regression, candidate: Scores, incumbent: Scores, seed: int) -> Finding:
    suite = allowed.suite
    before, after = incumbent.get(suite), candidate.get(suite)
    if not before or not after:
        missing = "the candidate" if not after else "what serves"
        return _refused(suite, f"{suite}: was not measured of {missing}")
    if len(before) != len(after):
        return _refused(suite, f"{suite}: was measured on other tasks of what serves")
    change = difference(before, after, seed)
    passed = -change.point <= allowed.most + _EXACT
    how = "within" if passed else "beyond"
    sure = f"{change.point:+.3f} ({change.low:+.3f} to {change.high:+.3f}, {change.count} tasks)"
    return Finding(
        suite, passed, f"{suite}: {sure} against what serves is {how} -{allowed.most:.3f}"
    )


def _leakage(leaked: Sequence[Leak]) -> Finding:
    told = ", ".join(
        f"{one.holdout + 1} is {one.likeness:.0%} training question {one.train + 1}"
        for one in leaked[:_TOLD]
    )
    more = f", and {len(leaked) - _TOLD} more" if len(leaked) > _TOLD else ""
    why = f"holdout: {len(leaked)} of its questions are in the training data: {told}{more}"
    return _refused("", why)


def _refused(suite: str, why: str) -> Finding:
    return Finding(suite, passed=False, why=why)

"""A step-time model from what steps were seen to take: non-negative least squares, robust. Pure.

Relative errors count, so that a step of a millisecond says as much as one of a second; what lies
far off is a pause of the machine, and counts less the further off it is.
"""

# The model is linear once it is known at which batch working takes as long as reading the weights:
# weights_s = turn * sequence_s. So each turn tried is a linear problem in five unknowns at most.

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

from inland.decide.capacity import step_s
from inland.domain.capacity import StepModel

#: Turns tried between two neighbouring batches that were seen, narrowings of the best one's
#: surroundings after that, and rounds of weighing what is off.
_TURNS, _NARROWINGS, ROUNDS = 2, 8, 4
#: What is further off than this many times the median error counts less (Huber's rule: 1.345
#: standard deviations, of which the median error is 0.6745).
_FAR = 1.345 / 0.6745
#: Errors below this are no noise but what numbers are rounded by.
_EXACT = 1e-6
#: A turn has to make the fit this much better, or weights are not told apart from overhead.
_WORTH = 0.98


@dataclass(frozen=True, slots=True)
class Observation:
    """Steps seen to take `seconds` each (their mean or median), that made a token for each of
    `batch` sequences holding `context` tokens together, and read `prompt` prompt tokens. `weight`:
    how much it counts, 1 for one good look."""

    batch: float
    context: float
    prompt: float
    seconds: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Fit:
    """A model, its largest relative error over what it was fitted to, and its coefficient of
    determination (of the seconds: 1.0 explains all, 0.0 no more than their mean)."""

    model: StepModel
    error: float
    r2: float


def fit(observations: Sequence[Observation], rounds: int = ROUNDS) -> Fit:
    """The model that explains them best. What they do not show is 0.0: a term that all of them have
    alike is in the overhead. `rounds`: of weighing what is far off, 0 to weigh all alike. Raises
    ValueError of no observation, or of one that took no time."""
    if not observations or any(one.seconds <= 0 for one in observations):
        raise ValueError("nothing was observed, or something that took no time")
    trust = [one.weight for one in observations]
    model = _best(observations, trust)
    for _ in range(rounds):
        off = [abs(_off(model, one)) for one in observations]
        far = max(_FAR * median(off), _EXACT)
        trust = [
            one.weight * min(1.0, far / miss) if miss else one.weight
            for one, miss in zip(observations, off, strict=True)
        ]
        model = _best(observations, trust)
    return Fit(model, *goodness(model, observations))


def goodness(model: StepModel, observations: Sequence[Observation]) -> tuple[float, float]:
    """(error, r2) of a model, as `Fit` has them."""
    error = max(abs(_off(model, one)) for one in observations)
    total = sum(one.weight for one in observations)
    mean = sum(one.weight * one.seconds for one in observations) / total
    spread = sum(one.weight * (one.seconds - mean) ** 2 for one in observations)
    missed = sum(one.weight * (one.seconds - _said(model, one)) ** 2 for one in observations)
    if spread <= (_EXACT * mean) ** 2 * total:  # all alike: it is their mean that is explained
        return error, 1.0 if error < _EXACT else 0.0
    return error, 1.0 - missed / spread


def _said(model: StepModel, one: Observation) -> float:
    return step_s(model, one.batch, one.context, one.prompt)


def _off(model: StepModel, one: Observation) -> float:
    """The relative error: above 0 where the model is slower than what was seen."""
    return _said(model, one) / one.seconds - 1


def _best(observations: Sequence[Observation], trust: Sequence[float]) -> StepModel:
    """The turn with the least error; none at all where that is about as good."""
    least, none = _at_turn(observations, trust, 0.0)
    turns = _turns([one.batch for one in observations])
    tried = [_at_turn(observations, trust, turn) for turn in turns]
    missed, model = min(tried, key=lambda one: one[0], default=(least, none))
    if missed > 0 and tried:
        at = [one[0] for one in tried].index(missed)
        low, high = turns[max(at - 1, 0)], turns[min(at + 1, len(turns) - 1)]
        missed, model = _narrowed(observations, trust, low, high)
    return model if missed < least * _WORTH else none


def _narrowed(
    observations: Sequence[Observation], trust: Sequence[float], low: float, high: float
) -> tuple[float, StepModel]:
    """The best turn between two: a third is left out each time."""
    for _ in range(_NARROWINGS):
        third = (high - low) / 3
        if (
            _at_turn(observations, trust, low + third)[0]
            < _at_turn(observations, trust, high - third)[0]
        ):
            high -= third
        else:
            low += third
    return _at_turn(observations, trust, (low + high) / 2)


def _turns(batches: Sequence[float]) -> list[float]:
    seen = sorted(set(batches))
    between = [
        low + (high - low) * part / _TURNS for low, high in pairwise(seen) for part in range(_TURNS)
    ]
    return [*between, seen[-1]] if between else []


def _at_turn(
    observations: Sequence[Observation], trust: Sequence[float], turn: float
) -> tuple[float, StepModel]:
    """(sum of squared relative errors, model) where the batch outlasts the weights from `turn`."""
    rows = [
        [part / one.seconds for part in (1.0, max(turn, one.batch), one.prompt, one.context)]
        for one in observations
    ]
    missed, (overhead, sequence, prompt, context) = _non_negative(rows, trust)
    return missed, StepModel(
        overhead_s=overhead,
        weights_s=turn * sequence,
        sequence_s=sequence,
        prompt_s=prompt,
        context_s=context,
    )


def _non_negative(
    rows: Sequence[Sequence[float]], trust: Sequence[float]
) -> tuple[float, list[float]]:
    """The x >= 0 with the least sum of trust * (row . x - 1)^2, and that sum.

    Of the solutions without bounds on each subset of the unknowns, the best that has nothing
    negative: that is where the optimum's conditions hold, and there are only sixteen.
    """
    size = len(rows[0])
    scale = [max((abs(row[at]) for row in rows), default=0.0) or 1.0 for at in range(size)]
    normal = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for row, weight in zip(rows, trust, strict=True):
        scaled = [part / by for part, by in zip(row, scale, strict=True)]
        for i, part in enumerate(scaled):
            right[i] += weight * part
            for j in range(size):
                normal[i][j] += weight * part * scaled[j]
    whole = sum(trust)
    best, found = whole, [0.0] * size
    for count in range(1, size + 1):
        for chosen in combinations(range(size), count):
            solved = _solved([[normal[i][j] for j in chosen] for i in chosen], right, chosen)
            if solved is None or min(solved) < 0:
                continue
            missed = whole - sum(x * right[i] for x, i in zip(solved, chosen, strict=True))
            if missed < best - _TINY * whole:
                best, found = missed, [0.0] * size
                for x, i in zip(solved, chosen, strict=True):
                    found[i] = x / scale[i]
    return max(best, 0.0), found


#: Less than this of the whole is what numbers are rounded by: the smaller set of unknowns is kept.
_TINY = 1e-12


def _solved(
    matrix: list[list[float]], right: Sequence[float], chosen: Sequence[int]
) -> list[float] | None:
    """Gauss elimination with pivots; None where the unknowns cannot be told apart."""
    size = len(chosen)
    rows = [[*matrix[i], right[chosen[i]]] for i in range(size)]
    for at in range(size):
        pivot = max(range(at, size), key=lambda i: abs(rows[i][at]))
        if abs(rows[pivot][at]) < _TINY * matrix[at][at] or rows[pivot][at] == 0:
            return None
        rows[at], rows[pivot] = rows[pivot], rows[at]
        for below in range(at + 1, size):
            factor = rows[below][at] / rows[at][at]
            for j in range(at, size + 1):
                rows[below][j] -= factor * rows[at][j]
    solved = [0.0] * size
    for at in reversed(range(size)):
        known = sum(rows[at][j] * solved[j] for j in range(at + 1, size))
        solved[at] = (rows[at][size] - known) / rows[at][at]
    return solved

"""How sure a score is: percentile bootstrap over the tasks, drawn from a seed so that anybody who
has the scores gets the same interval.

Where all tasks score alike there is nothing to draw, and a bootstrap would be sure of it; then the
interval is the one of n of n (Clopper and Pearson, 1934).
"""

import hashlib
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum

LEVEL, RESAMPLES = 0.95, 2000
#: Beyond this the draws, 32 bits each, would prefer some tasks by more than 2^-12.
MOST_TASKS = 1 << 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of `count` scores with its two-sided confidence interval."""

    point: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.point:.3f} ({self.low:.3f} to {self.high:.3f}, {self.count} tasks)"


def mean(scores: Sequence[float], seed: int, level: float = LEVEL) -> Interval:
    """Of scores from 0 to 1. Raises ValueError of none, or of too many."""
    return _interval(scores, (0.0, 1.0), seed, level)


def difference(
    before: Sequence[float], after: Sequence[float], seed: int, level: float = LEVEL
) -> Interval:
    """How much `after` scores above `before`, task by task: both answered the same tasks."""
    pairs = zip(before, after, strict=True)
    return _interval([two - one for one, two in pairs], (-1.0, 1.0), seed, level)


def _interval(
    values: Sequence[float], bounds: tuple[float, float], seed: int, level: float
) -> Interval:
    if not 0 < len(values) <= MOST_TASKS:
        raise ValueError(f"{len(values)} scores: there must be 1 to {MOST_TASKS}")
    lowest, highest = bounds
    if not all(lowest <= one <= highest for one in values):
        raise ValueError(f"a score is outside {lowest} to {highest}")
    count, tail = len(values), (1.0 - level) / 2
    if min(values) == max(values):
        share = tail ** (1 / count)  # of tasks that may score otherwise: at most 1 - share
        point = values[0]
        low, high = (bound + (point - bound) * share for bound in bounds)
        return Interval(point, low, high, count)
    means = sorted(_means(values, seed))
    skipped = int(tail * len(means))
    return Interval(fsum(values) / count, means[skipped], means[-1 - skipped], count)


def _means(values: Sequence[float], seed: int) -> Iterator[float]:
    count, value = len(values), values.__getitem__
    for number in range(RESAMPLES):
        named = f"inland bootstrap {seed} {number}".encode()
        drawn = array("I", hashlib.shake_256(named).digest(4 * count))
        if sys.byteorder == "big":
            drawn.byteswap()
        yield fsum(map(value, [draw % count for draw in drawn])) / count

"""The live score of a release: how many of its answers' thumbs are up, and how sure that is.

Of one release the interval is Wilson's (1927); of the difference between two it is made of theirs
as Newcombe (1998, method 10) does. Both at 95 %, two-sided: what lies wholly on one side is sure.
"""

from dataclasses import dataclass
from math import sqrt

from inland.domain.thumbs import Thumb

#: The standard normal's 97.5th percentile.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Score:
    """A fraction of `count` thumbs, and the interval it lies in."""

    point: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.point:.0f} % of {self.count} thumbs up ({low:.0f} to {high:.0f})"


def score(thumb: Thumb) -> Score | None:
    """None where nobody said anything."""
    if not thumb.all:
        return None
    count, point = thumb.all, thumb.ups / thumb.all
    scale = 1 + _Z**2 / count
    middle = (point + _Z**2 / (2 * count)) / scale
    wide = _Z * sqrt(point * (1 - point) / count + _Z**2 / (4 * count**2)) / scale
    low, high = max(0.0, middle - wide), min(1.0, middle + wide)
    return Score(point, min(point, low), max(point, high), count)


def is_under(one: Score, least: float) -> bool:
    """Whether it is surely less than `least`, a fraction."""
    return one.high < least


def is_worse(one: Score, other: Score, by: float) -> bool:
    """Whether it is surely less than `other` by more than `by`, a fraction."""
    most = one.point - other.point
    most += sqrt((one.high - one.point) ** 2 + (other.point - other.low) ** 2)
    return most < -by

"""What each character of a long text becomes when it is folded, of all of them at once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.uint32]
_POINTS = 0x110000
_ENCODING = "utf-32-le"
#: By code point, one more than how many it becomes (0: it was not asked about yet), and the first
#: of these, the second, …: at most `_MOST`. Pages of it that nobody asks about take no memory.
_MOST = 4
_COUNTS = np.zeros(_POINTS, np.uint8)
_MADE = np.zeros((_MOST, _POINTS), np.uint32)
_ONE = 1 + 1


class Made(NamedTuple):
    """`text`: what was made; `of`: the place of the character that each of it was made of, None
    where each became one; `unseen`: invisible characters that it ends with."""

    text: str
    of: NDArray[np.int64] | None
    unseen: int


def folded(text: str, plain: Callable[[str], str], unseen: int, most: int, hidden: str) -> Made:
    """`text` with what `plain` makes of each character. `unseen`: invisible ones that stand before
    it; more than `most` in a row become one `hidden`."""
    points = np.frombuffer(text.encode(_ENCODING, "surrogatepass"), np.uint32)
    counts = _COUNTS[points]
    if not counts.all():
        _ask(np.unique(points[counts == 0]), plain)
        counts = _COUNTS[points]
    if (counts == _ONE).all():
        return Made(_text(_MADE[0][points]), None, 0)
    widths = counts.astype(np.int64) - 1
    at, gone = np.arange(len(widths)), widths == 0
    in_a_row = at - np.maximum.accumulate(np.where(gone, -1 - unseen, at))
    unseen_now = int(in_a_row[-1]) % (most + 1)
    too_many = np.flatnonzero(gone & (in_a_row > most))
    too_many = too_many[in_a_row[too_many] % (most + 1) == 0]
    widths[too_many] = 1
    firsts = np.cumsum(widths) - widths
    of = np.repeat(at, widths)
    made = _MADE[np.arange(len(of)) - firsts[of], points[of]]
    made[firsts[too_many]] = ord(hidden)
    return Made(_text(made), of, unseen_now)


def _ask(new: Points, plain: Callable[[str], str]) -> None:
    for point in new.tolist():
        made = plain(chr(point))
        assert len(made) <= _MOST
        _MADE[: len(made), point] = [ord(one) for one in made]
        _COUNTS[point] = 1 + len(made)


def _text(points: Points) -> str:
    return points.tobytes().decode(_ENCODING)

"""How many characters each of a text becomes when it is folded, of all of them at once."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
_POINTS = 0x110000
#: Of each code point; this where it was not asked about yet.
_UNKNOWN = 255
_WIDTHS = np.full(_POINTS, _UNKNOWN, np.uint8)


class Spread(NamedTuple):
    """`widths`: of each character; `unseen`: invisible ones that the text ends with; `hidden`:
    places of those that are one too many in a row, and are seen therefore."""

    widths: Counts
    unseen: int
    hidden: Counts


def spread(text: str, plain: Callable[[str], str], unseen: int, most: int) -> Spread:
    """`plain`: what one character becomes; `unseen`: invisible ones that stand before `text`, and
    `most`: how many in a row come to nothing."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    new = np.unique(points[_WIDTHS[points] == _UNKNOWN])
    for point in new.tolist():
        _WIDTHS[point] = len(plain(chr(point)))
    widths = _WIDTHS[points].astype(np.int64)
    at, gone = np.arange(len(widths)), widths == 0
    in_a_row = at - np.maximum.accumulate(np.where(gone, -1 - unseen, at))
    hidden = np.flatnonzero(gone & (in_a_row % (most + 1) == 0))
    widths[hidden] = 1
    return Spread(widths, int(in_a_row[-1]) % (most + 1), hidden)


def places(first: int, widths: Counts) -> tuple[bytes, bytes]:
    """Where what each character became begins and ends, as arrays of four bytes have it."""
    starts = np.repeat(np.arange(first, first + len(widths), dtype=np.uint32), widths)
    return starts.tobytes(), (starts + np.uint32(1)).tobytes()


def hidden_in(text: str, widths: Counts, hidden: Counts, sign: str) -> str:
    """`text` with `sign` where those are that are seen by it alone."""
    before = np.cumsum(widths)[hidden] - np.arange(1, len(hidden) + 1)
    cuts = [0, *before.tolist(), len(text)]
    return sign.join(text[one:two] for one, two in pairwise(cuts))

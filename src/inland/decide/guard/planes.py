"""A text's signs as planes: integers with a bit for each, the lowest for the first. A few `&` and
`>>` of these say at once at which of all places a form fits."""

from collections.abc import Sequence

import numpy as np

from inland.decide.guard.signs import (
    ANY,
    DIGIT,
    DOTTED,
    JOINED,
    LETTER,
    SPACED,
    TIED,
    Places,
    Signs,
)

Plane = int
#: A bit for each place of any text.
EVERYWHERE: Plane = ~0
_GAPS = (TIED, SPACED, DOTTED, JOINED)
_WAYS = np.array(_GAPS, np.uint8)[:, None]


class Planes:
    """Of some `signs`: `gaps`, those that stand behind the one before them in some way; `kinds`,
    those that have one of some traits; `ends`, what a number may end before (the text's end too):
    nothing that makes it a longer one."""

    __slots__ = ("_every", "_joins", "ends", "gaps", "kinds", "signs")

    def __init__(self, signs: Signs, traits: Sequence[int]) -> None:
        """`traits`: of each kind; of digits, of letters and of both in any case."""
        self.signs = signs
        count = len(signs.codes)
        self._every = every = (1 << count) - 1
        asked = [DIGIT, *(one for one in traits if one not in {DIGIT, LETTER, ANY})]
        rows = np.empty((len(_GAPS) + len(asked), count), np.uint8)
        np.bitwise_and(signs.gaps, _WAYS, out=rows[: len(_GAPS)])
        np.bitwise_and(signs.traits, np.array(asked, np.uint8)[:, None], out=rows[len(_GAPS) :])
        planes = _planes(rows)
        self.gaps = dict(zip(_GAPS, planes, strict=False))
        self.kinds = dict(zip(asked, planes[len(_GAPS) :], strict=True))
        tied, joined, digits = self.gaps[TIED], self.gaps[JOINED], self.kinds[DIGIT]
        self.kinds |= {ANY: every, LETTER: every ^ digits}
        self._joins = tied | (joined & digits << 1)
        self.ends = (every << 1 | 1) & ~(tied | (joined & digits))

    def starts(self, since: int, before: int) -> Plane:
        """Where a number may begin, of the text from `since` on and before `before`."""
        first, last = self.signs.before(since), self.signs.before(before)
        return ((self._every & ~self._joins) >> first << first) & ((1 << last) - 1)

    def places(self, plane: Plane) -> Places:
        """Where its bits are."""
        packed = np.frombuffer(plane.to_bytes(len(self.signs.codes) // 8 + 1, "little"), np.uint8)
        return np.unpackbits(packed, bitorder="little").view(np.bool_).nonzero()[0]


def _planes(rows: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> list[Plane]:
    """A bit for each place where a row has any."""
    packed = np.packbits(rows, axis=1, bitorder="little")
    width, whole = packed.shape[1], packed.tobytes()
    return [
        int.from_bytes(whole[at * width : (at + 1) * width], "little") for at in range(len(rows))
    ]

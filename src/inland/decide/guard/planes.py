"""A text's signs as planes: integers with a bit for each, the lowest for the first. A few `&` and
`>>` of these say at once at which of all places a form fits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inland.decide.guard.signs import DIGIT, DOTTED, JOINED, SPACED, TIED, Mask, Places, Signs

Plane = int
_GAPS = (TIED, SPACED, DOTTED, JOINED)
_WAYS = np.array(_GAPS, np.uint8)[:, None]


class Planes:
    """Of some signs: `gaps`, those that stand behind the one before them in some way; `kinds`,
    those that have one of some traits; `ends`, what a number may end before (the text's end too):
    nothing that makes it a longer one."""

    __slots__ = ("_every", "_joins", "_signs", "ends", "gaps", "kinds")

    def __init__(self, signs: Signs, traits: Sequence[int]) -> None:
        """`traits`: of each kind; of digits in any case."""
        self._signs = signs
        self._every = (1 << len(signs.at)) - 1
        asked = (DIGIT, *traits)
        kinds = signs.traits & np.array(asked, np.uint8)[:, None]
        packed = np.packbits(np.concatenate((signs.gaps & _WAYS, kinds)), axis=1, bitorder="little")
        planes = [int.from_bytes(row, "little") for row in packed]
        self.gaps = dict(zip(_GAPS, planes, strict=False))
        self.kinds = dict(zip(asked, planes[len(_GAPS) :], strict=True))
        tied, joined, digits = self.gaps[TIED], self.gaps[JOINED], self.kinds[DIGIT]
        self._joins = tied | (joined & digits << 1)
        self.ends = (self._every << 1 | 1) & ~(tied | (joined & digits))

    def starts(self, since: int, before: int) -> Plane:
        """Where a number may begin, of the text from `since` on and before `before`."""
        first, last = np.searchsorted(self._signs.at, (since, before)).tolist()
        return ((self._every & ~self._joins) >> first << first) & ((1 << last) - 1)

    def places(self, plane: Plane) -> Places:
        """Where its bits are."""
        bits = np.unpackbits(self._packed([plane]), bitorder="little")
        return np.flatnonzero(bits.view(np.bool_))

    def stand(self, places: Places, planes: Sequence[Plane], rows: Places) -> Mask:
        """Whether each of `places` has a bit in that of `planes` which `rows` says."""
        packed = self._packed(planes).reshape(len(planes), -1)
        return (packed[rows, places >> 3] >> (places & 7).astype(np.uint8) & 1).view(np.bool_)

    def _packed(self, planes: Sequence[Plane]) -> NDArray[np.uint8]:
        width = len(self._signs.at) // 8 + 1
        return np.frombuffer(b"".join([one.to_bytes(width, "little") for one in planes]), np.uint8)

"""Hundreds of numbers that were found, as columns: what is done to them is done to all at once."""

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from inland.decide.guard.signs import Mask, Places
from inland.decide.guard.spans import Few, Span

#: A byte that is no character of ASCII stands for a rule, and the last for what goes.
_MARK, _GONE = 0x80, 0xFF
#: Rules that have such a byte, and how many numbers are told one by one: that takes less.
_MARKED, _FEW = _GONE - _MARK, 32
_NONE = np.zeros(0, np.int64)


class Columns:
    """Some, in order: where each starts, by which rule, and where it ends."""

    __slots__ = ("ends", "rules", "starts")

    def __init__(self, starts: Places, rules: Places, ends: Places) -> None:
        self.starts, self.rules, self.ends = starts, rules, ends

    @classmethod
    def of(cls, some: Sequence[Self]) -> Self:
        """One behind the other."""
        starts, rules, ends = ([_NONE] * (not some) for _ in range(3))
        for one in some:
            starts.append(one.starts)
            rules.append(one.rules)
            ends.append(one.ends)
        return cls(*map(np.concatenate, (starts, rules, ends)))

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Span]:
        return zip(self.starts.tolist(), self.rules.tolist(), self.ends.tolist(), strict=True)

    def counts(self) -> dict[int, int]:
        """By rule, how many."""
        counts = np.bincount(self.rules).tolist()
        return {of: count for of, count in enumerate(counts) if count}

    def masked(self, text: str, since: int, held: int, masks: Sequence[str]) -> tuple[str, int]:
        """`text` from `since` on and up to `held`, and up to where something was found."""
        is_plain = len(masks) <= _MARKED and text.isascii() and "".join(masks).isascii()
        if len(self) < _FEW or not (is_plain and self._lie_apart(since, held)):
            return Few(self).masked(text, since, held, masks)
        signs = np.frombuffer(bytearray(text[since:held].encode()), np.uint8)
        starts = self.starts - since
        edges = np.zeros(len(signs) + 1, np.int8)
        edges[starts] = 1
        edges[self.ends - since] -= 1
        signs |= -edges.cumsum(dtype=np.int8)[:-1].view(np.uint8)  # of one that is `_GONE`
        signs[starts] = _MARK + self.rules
        out = signs.tobytes().translate(None, bytes((_GONE,)))
        for of in self.counts():
            out = out.replace(bytes((_MARK + of,)), masks[of].encode())
        return out.decode(), int(self.ends[-1])

    def _lie_apart(self, since: int, held: int) -> bool:
        within = self.starts[0] >= since and self.ends[-1] <= held
        return bool(within and (self.starts[1:] >= self.ends[:-1]).all())


def outermost(starts: Places, ends: Places) -> Mask:
    """Which begin inside none before them, of numbers in order, the longest first of those that
    begin together; all of those that are the same."""
    is_outer = np.ones(len(starts), np.bool_)
    is_outer[1:] = starts[1:] >= np.maximum.accumulate(ends)[:-1]
    outer = is_outer.nonzero()[0]
    around = outer[is_outer.cumsum() - 1]
    if (starts >= ends[around]).any():  # it begins inside others that do so themselves
        outer = _one_by_one(starts, ends)
        around = outer[np.searchsorted(starts[outer], starts, "right") - 1]
    return (starts == starts[around]) & (ends == ends[around])


def _one_by_one(starts: Places, ends: Places) -> Places:
    """The first of those that begin no earlier than the one before ends, and so on."""
    after = np.searchsorted(starts, ends).tolist()
    outer = [0]
    while (at := after[outer[-1]]) < len(after):
        outer.append(at)
    return np.array(outer)

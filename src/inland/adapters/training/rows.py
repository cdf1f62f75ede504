"""Rows that go through a model at once: several examples packed into one, none seeing another.

Positions begin anew with each example, and the mask lets a token see what is before it in its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from inland.adapters.training.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Row:
    """`ids`, `positions`: one row each of so many tokens. `mask`: which sees which. `before`: the
    places that foretell the learned tokens, which are `wanted`."""

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    before: torch.Tensor
    wanted: torch.Tensor

    @property
    def tokens(self) -> int:
        """How long it is."""
        return int(self.ids.shape[1])


def rows(examples: Iterable[Tokens], most: int, *, packing: bool) -> Iterator[Row]:
    """All of them in order, in rows of at most `most` tokens; one a row without `packing`."""
    waiting: list[Tokens] = []
    for example in examples:
        size = sum(len(one.ids) for one in waiting)
        if waiting and (not packing or size + len(example.ids) > most):
            yield _row(waiting)
            waiting = []
        waiting.append(example)
    if waiting:
        yield _row(waiting)


def _row(packed: Sequence[Tokens]) -> Row:
    sizes = [len(one.ids) for one in packed]
    ids = torch.tensor([token for one in packed for token in one.ids])
    positions = torch.cat([torch.arange(size) for size in sizes])
    owner = torch.repeat_interleave(torch.arange(len(packed)), torch.tensor(sizes))
    place = torch.arange(len(ids))
    mask = (owner[:, None] == owner[None, :]) & (place[:, None] >= place[None, :])
    learned = torch.tensor([mark for one in packed for mark in one.learned])
    wanted = torch.nonzero(learned & (positions > 0)).flatten()
    return Row(ids[None], positions[None], mask[None, None], wanted - 1, ids[wanted])

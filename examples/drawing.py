"""Examples drawn from sentence forms by a seed, balanced: each form and each value comes as often
as every other, in an order of chance."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turn(chance: random.Random, values: Sequence[T]) -> Iterator[T]:
    """All of them in an order of chance, again and again."""
    while True:
        yield from chance.sample(values, len(values))


def phrases(
    chance: random.Random, said: Mapping[str, Sequence[str]]
) -> Mapping[str, Iterator[str]]:
    """For each meaning its wordings in turn."""
    return {meaning: in_turn(chance, ways) for meaning, ways in said.items()}


def sentence(text: str) -> str:
    """With a capital letter where a sentence begins."""
    parts = text.split(". ")
    return ". ".join(part[:1].upper() + part[1:] for part in parts)

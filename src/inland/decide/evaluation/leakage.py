"""Whether a holdout's questions are in the training data, word for word or nearly so.

Two questions are alike by how many of their runs of five characters they share (Jaccard), blanks,
signs and case aside. Every pair at or above the threshold is found, not most of them: what two
sets must share to be that alike is looked up by its rarest parts (Bayardo, Ma and Srikant, 2007).
"""

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

THRESHOLD = 0.7
_RUN = 5
#: What floating point may be off by.
_EXACT = 1e-9
#: An instruction that all questions of a set begin or end with says nothing of them: words that it
#: has at least, questions there must be to know it by, and characters of a question without it.
_INSTRUCTION_WORDS, _KNOWN_BY, _LEFT_CHARACTERS = 8, 8, 24


@dataclass(frozen=True, slots=True)
class Leak:
    """The holdout's question at `holdout` is, as far as `likeness` says (1.0: the same), the
    training question at `train`; both count from 0."""

    holdout: int
    train: int
    likeness: float


def leaks(train: Sequence[str], holdout: Sequence[str], threshold: float = THRESHOLD) -> list[Leak]:
    """For each question of the holdout that leaks, the training question most like it, in order.

    Questions are compared as they are, and once more without the instructions they have in common.
    """
    found: dict[int, Leak] = {}
    for olds, news in _as_they_are_and_bare(train, holdout):
        for leak in _alike(olds, news, threshold):
            if leak.holdout not in found or leak.likeness > found[leak.holdout].likeness:
                found[leak.holdout] = leak
    return [found[at] for at in sorted(found)]


def _as_they_are_and_bare(
    train: Sequence[str], holdout: Sequence[str]
) -> list[tuple[list[str], list[str]]]:
    whole = [_plain(one) for one in train], [_plain(one) for one in holdout]
    bare = _bare(whole[0]), _bare(whole[1])
    return [whole] if bare == whole else [whole, bare]


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(one if one.isalnum() else " " for one in folded).split())


def _bare(texts: list[str]) -> list[str]:
    """Without the words that all of them begin or end with; empty where little is left."""
    if len(texts) < _KNOWN_BY:
        return texts
    split = [text.split() for text in texts]
    head, tail = _shared(split), _shared([words[::-1] for words in split])
    head, tail = (many if many >= _INSTRUCTION_WORDS else 0 for many in (head, tail))
    if not head and not tail:
        return texts
    cut = [" ".join(words[head : len(words) - tail]) for words in split]
    return [one if len(one) >= _LEFT_CHARACTERS else "" for one in cut]


def _shared(split: list[list[str]]) -> int:
    """How many first words all have in common."""
    first, last = min(split), max(split)
    pairs = zip(first, last, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))


def _runs(text: str) -> frozenset[str]:
    if len(text) <= _RUN:
        return frozenset([text] if text else [])
    return frozenset(text[at : at + _RUN] for at in range(len(text) - _RUN + 1))


def _alike(train: list[str], holdout: list[str], threshold: float) -> list[Leak]:
    """The best of each at or above `threshold`. Two sets that alike share one of the rarest parts
    of either: of n parts, all but `threshold` n, and one more."""
    olds, news = [_runs(one) for one in train], [_runs(one) for one in holdout]
    common = Counter(run for runs in (*olds, *news) for run in runs)

    def rarest(runs: frozenset[str]) -> list[str]:
        ordered = sorted(runs, key=lambda run: (common[run], run))
        return ordered[: len(runs) - math.ceil(threshold * len(runs) - _EXACT) + 1]

    having: defaultdict[str, list[int]] = defaultdict(list)
    for at, runs in enumerate(olds):
        for run in rarest(runs):
            having[run].append(at)
    found = []
    for at, runs in enumerate(news):
        near = {old for run in rarest(runs) for old in having.get(run, ())}
        likeness, _, old = max(
            ((_jaccard(runs, olds[old]), -old, old) for old in near), default=(0.0, 0, 0)
        )
        if near and likeness >= threshold - _EXACT:
            found.append(Leak(at, old, likeness))
    return found


def _jaccard(one: frozenset[str], two: frozenset[str]) -> float:
    both = len(one & two)
    return both / (len(one) + len(two) - both)

"""Numbers in a text: all recognisers asked at once about every place where one may begin.

Nothing here is done once a candidate but a few steps of a vector, so a text of numbers that are
almost right, or right, costs little more than another of its length.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from inland.decide.guard.columns import Columns, outermost
from inland.decide.guard.forms import Forms
from inland.decide.guard.recognisers import RECOGNISERS, Check, Recogniser
from inland.decide.guard.signs import BEFORE, BEHIND, PIECE, Mask, Places, Runs, Signs
from inland.domain.errors import BadInput

#: How one is sorted, as an integer: by where it begins, then the longest first, then by its rule.
_PLACE_BITS, _RULE_BITS = 20, 20
_LAST = (1 << _PLACE_BITS) - 1


class Numbers:
    """Some recognisers, each with the rules that ask for it, asked together. `written`: an
    expression of where any of their numbers may be; `begun`: of every beginning of one; `least`:
    characters of the shortest."""

    __slots__ = ("_checks", "_forms", "_piece", "_rules", "begun", "least", "written")

    def __init__(
        self, asked: Sequence[tuple[Recogniser, Sequence[int]]], piece_characters: int = PIECE
    ) -> None:
        """`piece_characters`: how much of a text is looked at in one go, `PIECE` at most."""
        self._piece = piece_characters
        self._checks = [one.checks for one, _ in asked]
        self._rules = [np.array(rules)[:, None] for _, rules in asked]
        forms = [(form, whose) for whose, (one, _) in enumerate(asked) for form in one.forms]
        self._forms = Forms([form for form, _ in forms], [whose for _, whose in forms])
        self.written = _edged("|".join(form.pattern.written for form, _ in forms))
        self.begun = [_edged(form.begun) for form, _ in forms]
        self.least = min(form.pattern.least for form, _ in forms)

    def found(self, text: str, since: int, before: int) -> Columns:
        """What begins in a folded `text` from `since` on and before `before`, none inside another:
        the longest that begin the furthest to the left, several times where it is several's."""
        found: list[Columns] = []
        past = since
        for begin in range(since, before, self._piece):
            base = max(0, begin - BEFORE)
            end = min(before, begin + self._piece)
            signs = Signs(text[base : end + BEHIND])
            keys = self._proved(signs, max(begin, past) - base, end - base)
            if len(keys):
                found.append(_outermost(keys, base))
                past = int(found[-1].ends[-1])
        return found[0] if len(found) == 1 else Columns.of(found)

    def _proved(self, signs: Signs, since: int, before: int) -> Places:
        """All that prove true, the furthest to the left first, of these the longest: as integers
        of where they start and end, and by which rules."""
        keys = [np.zeros(0, np.int64)]
        planes = self._forms.planes(signs)
        for (whose, length), plane in self._forms.fits(planes, since, before).items():
            starts = self._true(whose, Runs(signs, length, planes.places(plane)))
            if len(starts):
                firsts, lasts = signs.at[starts], signs.at[starts + (length - 1)]
                places = firsts << _PLACE_BITS | _LAST - 1 - lasts
                keys.append((places << _RULE_BITS | self._rules[whose]).ravel())
        key = np.concatenate(keys)
        key.sort()
        return key

    def _true(self, whose: int, runs: Runs) -> Places:
        """Where numbers prove true, of runs that a form of theirs fits."""
        for check in self._checks[whose]:
            runs = Runs(runs.signs, runs.length, runs.places[_holds(check, runs)])
            if not len(runs.places):
                break
        return runs.places


def _outermost(keys: Places, base: int) -> Columns:
    """None that begins inside one before it. `base`: where in a text their places begin."""
    starts, ends = keys >> _PLACE_BITS + _RULE_BITS, _LAST - (keys >> _RULE_BITS & _LAST)
    if (starts[1:] < ends[:-1]).any():
        outer = outermost(starts, ends)
        keys, starts, ends = keys[outer], starts[outer], ends[outer]
    return Columns(base + starts, keys & (1 << _RULE_BITS) - 1, base + ends)


def _holds(check: Check, runs: Runs) -> Mask:
    try:
        return check(runs)
    except Exception:  # noqa: BLE001 - a fault here ends no request; what is unsure is kept back
        return np.ones(len(runs.places), np.bool_)


def named(names: Iterable[str]) -> list[Recogniser]:
    """The recognisers of these names. Raises BadInput for one that is unknown."""
    for name in names:
        if name not in RECOGNISERS:
            known = ", ".join(RECOGNISERS)
            raise BadInput("find", f"there is no recogniser {name!r}; there are {known}")
    return [RECOGNISERS[name] for name in names]


def _edged(form: str) -> str:
    """It where a word begins, or behind an underscore."""
    return rf"(?:\b|_)(?:{form})"

"""Numbers in a text: all recognisers asked at once about every place where one may begin.

Nothing here is done once a candidate but a few steps of a vector, so a text of numbers that are
almost right costs little more than another of its length.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from inland.decide.guard.forms import Forms
from inland.decide.guard.recognisers import RECOGNISERS, Check, Recogniser
from inland.decide.guard.signs import Mask, Places, Signs
from inland.domain.errors import BadInput

#: How much of a text is looked at in one go, in characters: it bounds what that takes of memory.
PIECE = 16_384
#: What is seen before and behind a piece, in characters: more than any number and what ties it.
_BEFORE, _BEHIND = 2, 128


#: From where to where in a text, and which recogniser's (its place among those asked). There may be
#: many: nothing dearer than a tuple.
Number = tuple[int, int, int]


class Numbers:
    """Some recognisers, asked together. `written`: an expression of where any of their numbers may
    be; `begun`: of every beginning of one; `least`: characters of the shortest."""

    __slots__ = ("_checks", "_forms", "_owners", "begun", "least", "written")

    def __init__(self, recognisers: Sequence[Recogniser]) -> None:
        self._checks = [one.check for one in recognisers]
        forms = [form for one in recognisers for form in one.forms]
        self._forms = Forms(forms)
        self.written = _edged("|".join(form.pattern.written for form in forms))
        self.begun = [_edged(form.begun) for form in forms]
        self.least = min(form.pattern.least for form in forms)
        self._owners = np.repeat(
            np.arange(len(recognisers)), [len(one.forms) for one in recognisers]
        )

    def found(self, text: str, since: int, before: int) -> Iterator[Number]:
        """What begins in a folded `text` from `since` on and before `before`, none inside another:
        the longest that begin the furthest to the left, several times where it is several's."""
        past = since
        for begin in range(since, before, PIECE):
            base = max(0, begin - _BEFORE)
            end = min(before, begin + PIECE)
            signs = Signs(text[base : end + _BEHIND])
            last = -1
            for start, less, whose in self._proved(signs, max(begin, past) - base, end - base):
                number_end = base - less
                if base + start >= past or (base + start == last and number_end == past):
                    last, past = base + start, number_end
                    yield last, past, whose

    def _proved(self, signs: Signs, since: int, before: int) -> list[tuple[int, int, int]]:
        """All that prove true, the furthest to the left first, of these the longest: where they
        start, less than nothing by where they end, and whose they are."""
        places, rows = self._forms.fits(signs, signs.starts(since, before))
        if not len(rows):
            return []
        ends = places + self._forms.lengths[rows]
        whole = ~signs.goes_on[ends]
        places, ends, owners = places[whole], ends[whole], self._owners[rows[whole]]
        order = np.argsort(owners, kind="stable")
        places, ends, owners = places[order], ends[order], owners[order]
        proved = np.empty(len(owners), np.bool_)
        bounds = np.searchsorted(owners, np.arange(len(self._checks) + 1)).tolist()
        for check, first, last in zip(self._checks, bounds[:-1], bounds[1:], strict=True):
            if first < last:
                row = slice(first, last)
                proved[row] = _proves(check, signs, places[row], ends[row])
        places, ends, owners = places[proved], ends[proved], owners[proved]
        starts, lasts = signs.at[places], -(signs.at[ends - 1] + 1)
        some = zip(starts.tolist(), lasts.tolist(), owners.tolist(), strict=True)
        return sorted(set(some))  # several forms of one may fit


def _proves(check: Check, signs: Signs, starts: Places, ends: Places) -> Mask | bool:
    try:
        return check(signs, starts, ends)
    except Exception:  # noqa: BLE001 - a fault here ends no request; what is unsure is kept back
        return True


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

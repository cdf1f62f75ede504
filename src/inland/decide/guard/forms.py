"""How a number is written, said once: an expression for RE2, and what each of its signs may be.

A form is spelled with a letter a sign (`_SIGNS`), and between groups with what may separate them:
a space, or a full stop where that may too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple, Self

import numpy as np

from inland.decide.guard.patterns import Pattern, read
from inland.decide.guard.planes import Plane, Planes
from inland.decide.guard.signs import (
    A_OR_B,
    ANY,
    DIGIT,
    DOTTED,
    LETTER,
    LETTERS,
    ONES,
    SPACED,
    TIED,
    Places,
    Signs,
    X,
)

#: What ties one number to another, as a pattern.
_JOIN = "[-.]?"


class _Sign(NamedTuple):
    """What may stand in a place, as a pattern and as traits of a sign. These may let in more than
    the pattern does: then the check refuses it."""

    written: str
    traits: int


_SIGNS = {
    "d": _Sign(r"\d", DIGIT),
    "a": _Sign("[A-Z]", LETTER),
    "*": _Sign("[A-Z0-9]", ANY),
    "x": _Sign(r"[\dX]", DIGIT | X),
    "b": _Sign(r"[\dAB]", DIGIT | A_OR_B),
    "t": _Sign("[1289A-D]", ANY),  # the check refuses the rest
    "c": _Sign("[2-68]", ONES["3"] | ONES["4"] | ONES["6"] | ONES["258"]),
    "n": _Sign("[1-9]", DIGIT),  # the check refuses 0
    "s": _Sign("[12378]", ONES["0179"] | ONES["258"] | ONES["3"]),  # the check refuses 0, 5, 9
    **{one: _Sign(one, traits) for ones, traits in ONES.items() for one in ones},
}
#: What may separate two groups, as a pattern, and as how a sign may stand behind another.
_GAPS = {" ": ("[ -]?", SPACED), ".": ("[ .-]?", DOTTED)}
_GROUP = re.compile(r"([ .]?)([^ .]+)")
#: How the first sign of all stands: where a number may begin.
_FIRST = 0


class Group(NamedTuple):
    """Signs that stand together: how the first stands behind what is before, and each's traits."""

    gap: int
    traits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a number. `begun`: every beginning of it and of what makes it longer;
    `groups`: its signs, `length` in all; `heads`: of two letters, those that it begins with, where
    not any."""

    pattern: Pattern
    begun: str
    groups: tuple[Group, ...]
    length: int
    heads: tuple[str, ...] = ()

    @classmethod
    def of(cls, spelled: str, *, heads: tuple[str, ...] = (), caseless: bool = False) -> Self:
        """As it is spelled."""
        written, groups = [], []
        for between, letters in _GROUP.findall(spelled):
            separated, gap = _GAPS[between] if between else ("", _FIRST)
            some = [_SIGNS[one] for one in letters]
            written += [separated, *(one.written for one in some)]
            groups.append(Group(gap, tuple(one.traits for one in some)))
        if heads:  # in the place of two letters
            written[1:3] = [f"(?:{'|'.join(heads)})"]
        text, flag = "".join(written), "(?i)" if caseless else ""
        pattern, longer = read(f"{flag}{text}"), read(f"{flag}(?:{text}){_JOIN}")
        length = sum(len(one.traits) for one in groups)
        return cls(pattern, longer.begun, tuple(groups), length, heads)


class _Step(NamedTuple):
    """A group behind the steps before it, or a number's end: what several forms begin with is
    asked once.

    `before`: the step it follows, counted from one; `group`: which; `ahead`: signs before it;
    `past`: which step is next where it fits nowhere; `forms`: those that end here.
    """

    before: int
    group: int
    ahead: int
    past: int
    forms: tuple[int, ...]


class _Groups:
    """Groups, each made of its first sign and of those tied to it. The first of all is no group,
    but what numbers end before."""

    def __init__(self, groups: Iterable[Group]) -> None:
        every = {part for group in groups for part in _parts(group)}
        singles = sorted(one for one in every if len(one.traits) == 1)
        longer = sorted((one for one in every if len(one.traits) > 1), key=_signs_of)
        self.at = {group: at for at, group in enumerate([*singles, *longer], 1)}
        self.traits = sorted({one.traits[0] for one in singles})
        self._singles = [(one.gap, one.traits[0]) for one in singles]
        self._longer = [
            (self.at[Group(one.gap, one.traits[:1])], self.at[Group(TIED, one.traits[1:])])
            for one in longer
        ]

    def planes(self, planes: Planes, starts: Plane) -> list[Plane]:
        """Where each fits."""
        gaps, kinds = {**planes.gaps, _FIRST: starts}, planes.kinds
        made = [planes.ends, *(gaps[gap] & kinds[traits] for gap, traits in self._singles)]
        for first, rest in self._longer:
            made.append(made[first] & made[rest] >> 1)
        return made


def _parts(group: Group) -> Iterator[Group]:
    """What a group is made of, itself included."""
    yield group
    yield Group(group.gap, group.traits[:1])
    if len(group.traits) > 1:
        yield from _parts(Group(TIED, group.traits[1:]))


def _signs_of(group: Group) -> int:
    return len(group.traits)


class Forms:
    """Some forms, asked together. `whose`: by form, whose it is."""

    def __init__(self, forms: Sequence[Form], whose: Sequence[int]) -> None:
        self._groups = _Groups(one for form in forms for one in form.groups)
        self._steps: list[_Step] = []
        self._lay([(form.groups, at) for at, form in enumerate(forms)], 0, 0)
        self._lengths = np.array([form.length for form in forms])
        #: By whose they are, forms that begin with some two letters, and others.
        self._headed: dict[int, _Headed] = {}
        self._others: dict[int, list[int]] = {}
        for one in dict.fromkeys(whose):
            mine = {at: form for at, form in enumerate(forms) if whose[at] == one}
            self._others[one] = [at for at, form in mine.items() if not form.heads]
            self._headed[one] = _Headed({at: form for at, form in mine.items() if form.heads})

    def _lay(self, rests: list[tuple[tuple[Group, ...], int]], before: int, ahead: int) -> None:
        """The steps of what is left of some forms, behind one step and so many signs."""
        ending = tuple(form for groups, form in rests if not groups)
        if ending:
            self._steps.append(_Step(before, 0, ahead, len(self._steps) + 1, ending))
        for first in dict.fromkeys(groups[0] for groups, _ in rests if groups):
            then = [(groups[1:], form) for groups, form in rests if groups[:1] == (first,)]
            at = len(self._steps)
            step = _Step(before, self._groups.at[first], ahead, 0, ())
            self._steps.append(step)
            self._lay(then, at + 1, ahead + len(first.traits))
            self._steps[at] = step._replace(past=len(self._steps))

    def fits(self, signs: Signs, since: int, before: int) -> Iterator[tuple[int, Places, Places]]:
        """Whose forms fit where a number may begin, of the text from `since` on and before
        `before`: where these start and end."""
        planes = Planes(signs, self._groups.traits)
        found = self._found(self._groups.planes(planes, planes.starts(since, before)))
        if not found:
            return
        for whose, forms in self._others.items():
            fits = [(planes.places(found[at]), self._lengths[at]) for at in forms if at in found]
            fits += self._headed[whose].found(signs, planes, found)
            if fits:
                ends = [places + length for places, length in fits]
                yield whose, np.concatenate([places for places, _ in fits]), np.concatenate(ends)

    def _found(self, groups: list[Plane]) -> dict[int, Plane]:
        """By form, where it fits; only of those that fit anywhere."""
        found: dict[int, Plane] = {}
        steps, fits = self._steps, [-1] * (len(self._steps) + 1)
        at, last = 0, len(steps)
        while at < last:
            before, group, ahead, past, forms = steps[at]
            here = fits[before] & groups[group] >> ahead
            if not here:
                at = past
                continue
            at += 1
            fits[at] = here
            if forms:
                found.update(dict.fromkeys(forms, here))
        return found


class _Headed:
    """Forms of which each begins with other letters: two letters tell which one it can be."""

    def __init__(self, forms: dict[int, Form]) -> None:
        self._forms = [*forms]
        self._lengths = np.array([form.length for form in forms.values()])
        #: By two letters, which of them it is; behind the last: none.
        self._heads = np.full((len(LETTERS) + 10,) * 2, len(forms))
        for row, form in enumerate(forms.values()):
            for head in form.heads:
                self._heads[LETTERS[head[0]], LETTERS[head[1]]] = row

    def found(
        self, signs: Signs, every: Planes, fits: dict[int, Plane]
    ) -> Iterator[tuple[Places, Places]]:
        """Where they start, and how long they are. `fits`: by form, where it fits whatever it
        begins with."""
        planes = [fits.get(at, 0) for at in self._forms]
        if any(planes):
            places = every.places(reduce(or_, planes))
            rows = self._heads[signs.one(places, 0), signs.one(places, 1)]
            whole = every.stand(places, [*planes, 0], rows)
            yield places[whole], self._lengths[rows[whole]]

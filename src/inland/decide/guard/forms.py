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
    Plane,
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


class _Step:
    """A group of signs behind those of the steps before it, and what may follow: so that what
    several forms begin with is asked once. `ends`: the forms that end here."""

    def __init__(self, group: Group, before: int) -> None:
        self.group = group
        self.before = before  # signs of the steps before it
        self.length = before + len(group.traits)
        self.then: dict[Group, _Step] = {}
        self.ends: list[int] = []


def _add(steps: dict[Group, _Step], groups: tuple[Group, ...], before: int, form: int) -> None:
    """A form of these groups, behind so many signs."""
    step = steps.setdefault(groups[0], _Step(groups[0], before))
    if groups[1:]:
        _add(step.then, groups[1:], step.length, form)
    else:
        step.ends.append(form)


class _Fitting:
    """A text's signs, and at which of them groups fit, each asked when it is first needed."""

    def __init__(self, signs: Signs, starts: Plane) -> None:
        self._signs = signs
        self._gaps = {_FIRST: starts, **{gap: signs.gap(gap) for gap in (TIED, SPACED, DOTTED)}}
        self._groups: dict[tuple[int, tuple[int, ...]], Plane] = {}
        self._ends = signs.ends()
        #: By form, where it fits; only of those that fit anywhere.
        self.found: dict[int, Plane] = {}

    def follow(self, steps: Iterable[_Step], plane: Plane) -> None:
        """`plane`: where all before fits."""
        for step in steps:
            fits = plane & self._group(*step.group) >> step.before
            if not fits:
                continue
            if step.then:
                self.follow(step.then.values(), fits)
            if step.ends and (whole := fits & self._ends >> step.length):
                self.found.update(dict.fromkeys(step.ends, whole))

    def _group(self, gap: int, traits: tuple[int, ...]) -> Plane:
        made = self._groups.get((gap, traits))
        if made is None:
            first, rest = traits[0], traits[1:]
            if rest:
                made = self._group(gap, (first,)) & self._group(TIED, rest) >> 1
            else:
                made = self._gaps[gap] & self._signs.kind(first)
            self._groups[gap, traits] = made
        return made


class Forms:
    """Some forms, asked together. `whose`: by form, whose it is."""

    def __init__(self, forms: Sequence[Form], whose: Sequence[int]) -> None:
        self._steps: dict[Group, _Step] = {}
        for at, form in enumerate(forms):
            _add(self._steps, form.groups, 0, at)
        self._lengths = np.array([form.length for form in forms])
        #: By whose they are, forms that begin with some two letters, and others.
        self._headed: dict[int, _Headed] = {}
        self._others: dict[int, list[int]] = {}
        for one in dict.fromkeys(whose):
            mine = {at: form for at, form in enumerate(forms) if whose[at] == one}
            self._others[one] = [at for at, form in mine.items() if not form.heads]
            self._headed[one] = _Headed({at: form for at, form in mine.items() if form.heads})

    def fits(self, signs: Signs, starts: Plane) -> Iterator[tuple[int, Places, Places]]:
        """Whose forms fit, and where these start and end."""
        fitting = _Fitting(signs, starts)
        fitting.follow(self._steps.values(), -1)
        found = fitting.found
        if not found:
            return
        for whose, forms in self._others.items():
            fits = [(signs.places(found[at]), self._lengths[at]) for at in forms if at in found]
            fits += self._headed[whose].found(signs, found)
            if fits:
                ends = [places + length for places, length in fits]
                yield whose, np.concatenate([places for places, _ in fits]), np.concatenate(ends)


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

    def found(self, signs: Signs, fits: dict[int, Plane]) -> Iterator[tuple[Places, Places]]:
        """Where they start, and how long they are. `fits`: by form, where it fits whatever it
        begins with."""
        planes = [fits.get(at, 0) for at in self._forms]
        if any(planes):
            places = signs.places(reduce(or_, planes))
            rows = self._heads[signs.one(places, 0), signs.one(places, 1)]
            whole = signs.stand(places, [*planes, 0], rows)
            yield places[whole], self._lengths[rows[whole]]

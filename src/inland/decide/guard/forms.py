"""How a number is written, said once: an expression for RE2, and what each of its signs may be.

A form is spelled with a letter a sign (`_SIGNS`), and between groups with what may separate them:
a space, or a full stop where that may too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from inland.decide.guard.patterns import Pattern, read
from inland.decide.guard.planes import EVERYWHERE, Plane, Planes
from inland.decide.guard.signs import (
    A_OR_B,
    ANY,
    DIGIT,
    DOTTED,
    LETTER,
    ONES,
    SPACED,
    TIED,
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
    "s": _Sign("[12378]", DIGIT),  # the check refuses the rest
    **{one: _Sign(one, ONES[one]) for one in "346"},
    **{one: _Sign(one, DIGIT) for one in "78"},  # the check refuses the rest
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
    `groups`: its signs, `length` in all."""

    pattern: Pattern
    begun: str
    groups: tuple[Group, ...]
    length: int

    @classmethod
    def of(cls, spelled: str, *, heads: tuple[str, ...] = (), caseless: bool = False) -> Self:
        """As it is spelled. `heads`: what two letters it begins with, where not any: the expression
        knows them, and a check."""
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
        return cls(pattern, longer.begun, tuple(groups), length)


class Fit(NamedTuple):
    """What fits: whose number, and of how many signs."""

    whose: int
    length: int


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
        #: By form, whose numbers it has, and of how many signs.
        self._fits = [Fit(one, form.length) for one, form in zip(whose, forms, strict=True)]

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

    def planes(self, signs: Signs) -> Planes:
        """Of some signs, those that forms are told by."""
        return Planes(signs, self._groups.traits)

    def fits(self, planes: Planes, since: int, before: int) -> dict[Fit, Plane]:
        """Whose forms fit, and of how many signs, where a number may begin: of the text from
        `since` on and before `before`. Only of those that fit anywhere."""
        groups = self._groups.planes(planes, planes.starts(since, before))
        found: dict[Fit, Plane] = {}
        steps, fits = self._steps, [EVERYWHERE] * (len(self._steps) + 1)
        at, last = 0, len(steps)
        while at < last:
            behind, group, ahead, past, forms = steps[at]
            here = fits[behind] & groups[group] >> ahead
            if not here:
                at = past
                continue
            at += 1
            fits[at] = here
            for form in forms:
                fit = self._fits[form]
                found[fit] = found.get(fit, 0) | here
        return found

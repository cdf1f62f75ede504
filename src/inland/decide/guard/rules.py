"""Rules made ready: all that some guards look for, in as few looks at a text as there can be.

One automaton says whether there is anything at all, one where at a text's end something may be
beginning; only where the first says yes is each rule asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from inland.decide.guard.automata import Automaton
from inland.decide.guard.patterns import Pattern, pattern
from inland.decide.guard.recognisers import RECOGNISERS, Form, Recogniser
from inland.domain.errors import BadInput
from inland.domain.guards import Act, Guard

#: Numbers looked at in one text, at most: what follows them is taken for found.
LOOKED_AT = 10_000
_UNDERSCORE = ord("_")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. `guard`: whose; `what`: what it is called where it stood."""

    guard: str
    act: Act
    what: str

    @property
    def mask(self) -> str:
        """What stands in its place."""
        return f"[redacted {self.what}]"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Found: from where to where in a folded text, by which rule (its place among them)."""

    start: int
    end: int = field(compare=False)
    rule: int


class Rules:
    """What some guards look for. `least`: how short what is found may be, in characters."""

    def __init__(self, guards: tuple[Guard, ...]) -> None:
        """Raises BadInput for what cannot be looked for."""
        self.rules: list[Rule] = []
        self._numbers: list[tuple[int, Recogniser]] = []
        self._patterns: list[tuple[int, Automaton]] = []
        forms: list[Form] = []
        patterns: list[Pattern] = []
        for guard in guards:
            for name in guard.finds:
                one = _recogniser(name)
                self._numbers.append((self._add(guard, name), one))
                forms += one.forms
            for text in guard.patterns:
                said = pattern(text)
                self._patterns.append((self._add(guard, guard.name), Automaton(said.written)))
                patterns.append(said)
        numbers = [_edge("|".join(one.pattern.written for one in forms))] if forms else []
        begun = [_edge(one.begun) for one in forms] + [one.begun for one in patterns]
        self.least = min(one.least for one in (*(form.pattern for form in forms), *patterns))
        self._number = Automaton(numbers[0]) if numbers else None
        self._any = Automaton("|".join([*numbers, *(one.written for one in patterns)]))
        self._tail = Automaton(rf"(?:{'|'.join(begun)})\z")

    def _add(self, guard: Guard, what: str) -> int:
        self.rules.append(Rule(guard.name, guard.act, what))
        return len(self.rules) - 1

    def tail(self, text: str, since: int) -> int:
        """Where in `text`, from `since` on, something begins that may still become a match; its
        end where nothing does."""
        found = self._tail.first(text, since)
        return len(text) if found is None else found

    def spans(self, text: str, since: int, before: int, resume: dict[int, int]) -> list[Span]:
        """What begins from `since` on and before `before`, in order. `resume`: by rule, where its
        last match ended, and its next begins at the earliest."""
        if before <= since or len(text) - since < self.least:
            return []
        first = self._any.first(text, since)
        if first is None or first >= before:
            return []
        found = list(self._found_numbers(text, first, before, resume))
        for rule, automaton in self._patterns:
            for start, end in automaton.spans(text, max(first, resume.get(rule, 0))):
                if start >= before:
                    break
                found.append(Span(start, end, rule))
        return sorted(found)

    def _found_numbers(
        self, text: str, since: int, before: int, resume: dict[int, int]
    ) -> Iterator[Span]:
        """Numbers, none inside another: the longest that begin the furthest to the left."""
        if self._number is None:
            return
        data = text.encode("ascii", "replace")  # a byte a character
        since = max([since, *(resume.get(rule, 0) for rule, _ in self._numbers)])
        at, left = self._number.first_byte(data, since), LOOKED_AT
        while at is not None and at < before:
            start = at + (data[at] == _UNDERSCORE)
            left -= 1
            ends = [(rule, one.end(text, start)) for rule, one in self._numbers]
            if not left:
                ends = [(self._numbers[0][0], len(text))]
            last = max((end for _, end in ends if end is not None), default=start + 1)
            for rule, end in ends:
                if end == last:
                    yield Span(start, end, rule)
            at = self._number.first_byte(data, last)


def _edge(form: str) -> str:
    """It where a word begins, or behind an underscore."""
    return rf"(?:\b|_)(?:{form})"


def _recogniser(name: str) -> Recogniser:
    found = RECOGNISERS.get(name)
    if found is None:
        known = ", ".join(RECOGNISERS)
        raise BadInput("find", f"there is no recogniser {name!r}; there are {known}")
    return found


@lru_cache(maxsize=256)
def ready(guards: tuple[Guard, ...]) -> Rules | None:
    """The rules of `guards`, made once; None of none."""
    return Rules(guards) if guards else None

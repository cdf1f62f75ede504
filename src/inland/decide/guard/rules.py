"""Rules made ready: all that some guards look for, in as few looks at a text as there can be.

One automaton says whether there is anything at all, one where at a text's end something may be
beginning; only where the first says yes is each rule asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from inland.decide.guard.automata import Automaton
from inland.decide.guard.folding import HIDDEN
from inland.decide.guard.patterns import WIDTH, Pattern, pattern
from inland.decide.guard.recognisers import RECOGNISERS, Form, Numbers, Recogniser, edged
from inland.domain.errors import BadInput
from inland.domain.guards import Act, Guard

#: Numbers looked at for one request, or in one text, at most: what follows is taken for found.
LOOKED_AT = 2_000
#: What is found where too many invisible characters follow what may become a match.
UNSEEN = "unseen"
_UNDERSCORE = ord("_")


@dataclass(slots=True)
class Allowance:
    """How many numbers may yet be looked at."""

    left: int = LOOKED_AT


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
        asked: list[tuple[int, Recogniser]] = []
        self._patterns: list[tuple[int, Automaton]] = []
        forms: list[Form] = []
        patterns: list[Pattern] = []
        for guard in guards:
            for name in guard.finds:
                one = _recogniser(name)
                asked.append((self._add(guard, name), one))
                forms += one.forms
            for text in guard.patterns:
                said = pattern(text)
                self._patterns.append((self._add(guard, guard.name), Automaton(said.written)))
                patterns.append(said)
        numbers = [edged("|".join(one.pattern.written for one in forms))] if forms else []
        begun = [edged(one.begun) for one in forms] + [one.begun for one in patterns]
        self.least = min(one.least for one in (*(form.pattern for form in forms), *patterns))
        first = next((one for one in guards if one.act is Act.BLOCK), guards[0])
        self._unseen = self._add(first, UNSEEN)
        self._numbers = Numbers(asked) if asked else None
        self._of_numbers = frozenset(rule for rule, _ in asked)
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

    def spans(
        self,
        text: str,
        since: int,
        before: int,
        resume: dict[int, int],
        allowance: Allowance | None = None,
    ) -> list[Span]:
        """What begins from `since` on and before `before`, in order. `resume`: by rule, where its
        last match ended, and its next begins at the earliest."""
        if before <= since:
            return []
        allowance = allowance or Allowance()
        hidden = list(self._hidden(text, since, before, allowance)) if HIDDEN in text else []
        if len(text) - since < self.least:
            return hidden
        first = self._any.first(text, since)
        if first is None or first >= before:
            return hidden
        past = max([first, *(end for rule, end in resume.items() if rule in self._of_numbers)])
        found = hidden + list(self._found_numbers(text, past, before, allowance))
        for rule, automaton in self._patterns:
            for start, end in automaton.spans(text, max(first, resume.get(rule, 0))):
                if start >= before:
                    break
                found.append(Span(start, end, rule))
        return sorted(found)

    def _hidden(self, text: str, since: int, before: int, allowance: Allowance) -> Iterator[Span]:
        """What may have become a match, had more than invisible characters followed it."""
        at = text.find(HIDDEN, since)
        while at >= 0:
            allowance.left -= 1
            first = max(0, at - WIDTH - 1)
            start = first + self.tail(text[first:at], max(since, at - WIDTH) - first)
            if allowance.left <= 0:
                start = min(start, at - 1)  # what is not looked at is taken for found
            if max(start, since) < min(at, before):
                yield Span(max(start, since), at + 1, self._unseen)
            at = text.find(HIDDEN, at + 1)

    def _found_numbers(
        self, text: str, since: int, before: int, allowance: Allowance
    ) -> Iterator[Span]:
        """Numbers, none inside another: the longest that begin the furthest to the left."""
        numbers = self._numbers
        if numbers is None:
            return
        data = text.encode("ascii", "replace")  # a byte a character
        at = numbers.automaton.first_byte(data, since)
        while at is not None and at < before:
            start = at + (data[at] == _UNDERSCORE)
            allowance.left -= 1
            is_looked_at = allowance.left > 0
            end, whose = numbers.at(text, start) if is_looked_at else (len(text), numbers.first)
            for rule in whose:
                yield Span(start, end, rule)
            at = numbers.automaton.first_byte(data, max(end, start + 1))


def _recogniser(name: str) -> Recogniser:
    found = RECOGNISERS.get(name)
    if found is None:
        known = ", ".join(RECOGNISERS)
        raise BadInput("find", f"there is no recogniser {name!r}; there are {known}")
    return found


def check(guards: tuple[Guard, ...]) -> None:
    """Raises BadInput where these cannot be looked for, each alone or all of them at once."""
    for act in (Act.NOTE, Act.BLOCK):
        of_act = (one for one in guards if (one.act is Act.NOTE) == (act is Act.NOTE))
        some = tuple(one for one in of_act if one.looks)
        ready(some)


@lru_cache(maxsize=64)
def ready(guards: tuple[Guard, ...]) -> Rules | None:
    """The rules of `guards`, made once; None of none."""
    return Rules(guards) if guards else None

"""Rules made ready: all that some guards look for, in as few looks at a text as there can be.

One automaton says whether there is anything at all, one whether any pattern matches, one where at a
text's end something may be beginning; only where the first two say yes is each rule asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from inland.decide.guard.automata import Automaton
from inland.decide.guard.folding import HIDDEN
from inland.decide.guard.patterns import WIDTH, Pattern, pattern
from inland.decide.guard.spans import Few, Span, Spans
from inland.domain.guards import Act, Guard

if TYPE_CHECKING:
    from inland.decide.guard.numbers import Numbers

#: What is found where too many invisible characters follow what may become a match.
UNSEEN = "unseen"


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


class Rules:
    """What some guards look for. `least`: how short what is found may be, in characters."""

    def __init__(self, guards: tuple[Guard, ...]) -> None:
        """Raises BadInput for what cannot be looked for."""
        self.rules: list[Rule] = []
        #: By recogniser, the rules that ask for it.
        asked: dict[str, list[int]] = {}
        self._patterns: list[tuple[int, Automaton]] = []
        patterns: list[Pattern] = []
        for guard in guards:
            for name in guard.finds:
                asked.setdefault(name, []).append(self._add(guard, name))
            for text in guard.patterns:
                said = pattern(text)
                self._patterns.append((self._add(guard, guard.name), Automaton(said.written)))
                patterns.append(said)
        first = next((one for one in guards if one.act is Act.BLOCK), guards[0])
        self._unseen = self._add(first, UNSEEN)
        self._numbers = numbers = _numbers(asked) if asked else None
        self._of_numbers = {rule for rules in asked.values() for rule in rules}
        begun, written = [one.begun for one in patterns], [one.written for one in patterns]
        least = [one.least for one in patterns]
        if numbers is not None:
            begun, written = [*numbers.begun, *begun], [numbers.written, *written]
            least.append(numbers.least)
        self.least = min(least)
        self.masks = [one.mask for one in self.rules]
        self.blocking = {at for at, one in enumerate(self.rules) if one.act is Act.BLOCK}
        self._any = Automaton("|".join(written))
        self._any_pattern = (
            Automaton("|".join(one.written for one in patterns)) if patterns else None
        )
        self._tail = Automaton(rf"(?:{'|'.join(begun)})\z")

    def _add(self, guard: Guard, what: str) -> int:
        self.rules.append(Rule(guard.name, guard.act, what))
        return len(self.rules) - 1

    def tail(self, text: str, since: int) -> int:
        """Where in `text`, from `since` on, something begins that may still become a match; its
        end where nothing does."""
        found = self._tail.first(text, since)
        return len(text) if found is None else found

    def spans(self, text: str, since: int, before: int, resume: dict[int, int]) -> Spans:
        """What begins from `since` on and before `before`, in order. `resume`: by rule, where its
        last match ended, and its next begins at the earliest."""
        if before <= since:
            return Few()
        hidden = Few(self._hidden(text, since, before)) if HIDDEN in text else Few()
        if len(text) - since < self.least:
            return hidden
        first = self._any.first(text, since)
        if first is None or first >= before:
            return hidden
        numbers = self._found_numbers(text, first, before, resume)
        found = [*hidden, *self._found_patterns(text, first, before, resume)]
        return Few(sorted([*numbers, *found])) if found else numbers

    def _hidden(self, text: str, since: int, before: int) -> Iterator[Span]:
        """What may have become a match, had more than invisible characters followed it."""
        at = text.find(HIDDEN, since)
        while at >= 0:
            first = max(0, at - WIDTH - 1)
            start = first + self.tail(text[first:at], max(since, at - WIDTH) - first)
            if max(start, since) < min(at, before):
                yield max(start, since), self._unseen, at + 1
            at = text.find(HIDDEN, at + 1)

    def _found_numbers(self, text: str, first: int, before: int, resume: dict[int, int]) -> Spans:
        """Numbers, by the rules that ask for them."""
        if self._numbers is None:
            return Few()
        past = max([first, *(end for rule, end in resume.items() if rule in self._of_numbers)])
        return self._numbers.found(text, past, before)

    def _found_patterns(
        self, text: str, first: int, before: int, resume: dict[int, int]
    ) -> Iterator[Span]:
        """What patterns match: each is asked only from where any of them does."""
        some = None if self._any_pattern is None else self._any_pattern.first(text, first)
        if some is None or some >= before:
            return
        for rule, automaton in self._patterns:
            for start, end in automaton.spans(text, max(some, resume.get(rule, 0))):
                if start >= before:
                    break
                yield start, rule, end


def _numbers(asked: dict[str, list[int]]) -> "Numbers":
    """Loaded where numbers are looked for: arrays take memory, and most factories need none."""
    from inland.decide.guard.numbers import Numbers, named

    return Numbers([*zip(named(asked), asked.values(), strict=True)])


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

"""A text as it comes, and what of it may go on: nothing that may still become a match.

However it is cut, the same is found, and what goes on is the same text: what was found is replaced
where a rule redacts, and the text ends before it where one blocks.
"""

import re
from collections import Counter
from dataclasses import dataclass

from inland.decide.guard.folding import Fold, fold, fold_json
from inland.decide.guard.rules import Allowance, Rule, Rules, Span
from inland.domain.guards import Act

#: How much of what went on is remembered, for what asks what stands before it, in characters.
_BEFORE = 2
_QUOTE = re.compile(r'\\.|"')
#: What stands, in a JSON text, for what was no string.
_NOTHING = "null"


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: from where to where in the text as it is."""

    start: int
    end: int
    rule: Rule


def found_in(rules: Rules, text: str) -> list[Found]:
    """All that is found in a whole text, in order."""
    folding = fold(text)
    spans = rules.spans(folding.text, 0, len(folding.text), {})
    return [
        Found(folding.origin(one.start), folding.origin(one.end), rules.rules[one.rule])
        for one in spans
    ]


class Scanner:
    """One text. `counts`: by rule, how often it was found. `blocked`: the rule that ended it."""

    __slots__ = (
        "_allowance",
        "_before",
        "_covered",
        "_is_json",
        "_pending",
        "_quoted",
        "_resume",
        "_rules",
        "blocked",
        "counts",
    )

    def __init__(
        self, rules: Rules, *, is_json: bool = False, allowance: Allowance | None = None
    ) -> None:
        """`is_json`: a JSON text, whose escapes stand for what they say. `allowance`: one for
        several texts; else each look has its own."""
        self._rules = rules
        self._allowance = allowance
        self._is_json = is_json
        self._pending = ""  # as it came
        self._before = ""  # the last of what went on, folded
        self._covered = 0  # up to where of both together something was found and replaced
        self._resume: dict[int, int] = {}
        self._quoted = False
        self.blocked: Rule | None = None
        self.counts: Counter[Rule] = Counter()

    @property
    def holds(self) -> bool:
        """Whether it holds anything back."""
        return bool(self._pending)

    def feed(self, text: str) -> str:
        """What may go on once `text` came."""
        return self._look(self._pending + text, at_end=False)

    def whole(self, text: str) -> str:
        """What is left of a text that is there whole: `feed` and `end` in one."""
        return self._look(text, at_end=True)

    def end(self) -> str:
        """The rest: nothing follows."""
        return self._look(self._pending, at_end=True)

    def _look(self, came: str, *, at_end: bool) -> str:
        if self.blocked is not None:
            return ""
        folding = fold_json(came) if self._is_json else fold(came)
        begin = len(self._before)
        text = self._before + folding.text
        held = len(text) if at_end else self._rules.tail(text, begin)
        held = begin + folding.down(held - begin)
        spans = self._rules.spans(text, begin, held, self._resume, self._allowance)
        out = self._replaced(came, folding, spans, held)
        rest = folding.origin(held - begin)
        self._pending = came[rest:]
        if at_end and self.blocked is None:
            out, self._pending = out + self._pending, ""
        self._forget(text, held)
        return out

    def _replaced(self, came: str, folding: Fold, spans: list[Span], held: int) -> str:
        """What goes on of the text up to `held`, with masks."""
        begin = len(self._before)
        out = ""
        at = max(begin, self._covered)
        for span in spans:
            rule = self._rules.rules[span.rule]
            self.counts[rule] += 1
            self._resume[span.rule] = span.end
            is_new = span.start >= self._covered
            if is_new:
                start = begin + folding.down(span.start - begin)
                out += self._kept(came, folding, at - begin, start - begin)
            if rule.act is Act.BLOCK:
                self.blocked = rule
                return out
            if is_new:
                out += _NOTHING if self._is_json and not self._quoted else rule.mask
            end = begin + folding.up(span.end - begin)
            at = self._covered = max(self._covered, end)
        return out + self._kept(came, folding, at - begin, held - begin)

    def _kept(self, came: str, folding: Fold, start: int, end: int) -> str:
        """What came, between two places of it folded."""
        if end <= start:
            return ""
        text = came[folding.origin(start) : folding.origin(end)]
        if self._is_json and _QUOTE.findall(text).count('"') % 2:
            self._quoted = not self._quoted
        return text

    def _forget(self, text: str, held: int) -> None:
        """What went on is remembered no more, but for its last characters."""
        self._before = text[max(0, held - _BEFORE) : held]
        gone = held - len(self._before)
        self._covered = self._covered - gone if self._covered > held else 0
        self._resume = {rule: end - gone for rule, end in self._resume.items() if end > held}

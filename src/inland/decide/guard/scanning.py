"""A text as it comes, and what of it may go on: nothing that may still become a match.

However it is cut, the same is found, and what goes on is the same text: what was found is replaced
where a rule redacts, and the text ends before it where one blocks.
"""

import re
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter

from inland.decide.guard.folding import Folding
from inland.decide.guard.rules import Rule, Rules
from inland.decide.guard.spans import Few, Span, Spans
from inland.domain.guards import Act

#: How much of what went on is remembered, for what asks what stands before it, in characters.
_BEFORE = 2
_QUOTE = re.compile(r'\\.|"', re.DOTALL)
#: What stands, in a JSON text, for a value that was no string; what such a value is, and what may
#: stand before and behind it: a part of one, or more than one, has nothing that may take its place.
_NOTHING = "null"
_VALUE = re.compile(r"\s*[\w.+-]+\s*")
_OPENS, _CLOSES = ({"", *" \t\r\n,:["}, {"", *" \t\r\n,]}"})


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found: from where to where in the text as it is."""

    start: int
    end: int
    rule: Rule


def found_in(rules: Rules, text: str) -> list[Found]:
    """All that is found in a whole text, in order."""
    folding = Folding()
    folding.add(text)
    spans = rules.spans(folding.text, 0, len(folding.text), {})
    return [
        Found(folding.start(start), folding.end(end), rules.rules[of]) for start, of, end in spans
    ]


class Scanner:
    """One text. `counts`: by rule, how often it was found. `blocked`: the rule that ended it: one
    that blocks, or one that redacts where nothing may take the place of what it found."""

    __slots__ = (
        "_before",
        "_covered",
        "_folding",
        "_is_json",
        "_quoted",
        "_resume",
        "_rules",
        "blocked",
        "counts",
    )

    def __init__(self, rules: Rules, *, is_json: bool = False) -> None:
        """`is_json`: a JSON text, whose escapes stand for what they say."""
        self._rules = rules
        self._is_json = is_json
        self._folding = Folding(is_json=is_json)  # what is held back
        self._before = ""  # the last of what went on, folded
        self._covered = 0  # up to where of both together something was found and replaced
        self._resume: dict[int, int] = {}
        self._quoted = False
        self.blocked: Rule | None = None
        self.counts: Counter[Rule] = Counter()

    @property
    def holds(self) -> bool:
        """Whether it holds anything back."""
        return bool(self._folding.came)

    def feed(self, text: str) -> str:
        """What may go on once `text` came."""
        return self._look(text, at_end=False)

    def whole(self, text: str) -> str:
        """What is left of a text that is there whole: `feed` and `end` in one."""
        return self._look(text, at_end=True)

    def end(self) -> str:
        """The rest: nothing follows."""
        return self._look("", at_end=True)

    def _look(self, came: str, *, at_end: bool) -> str:
        if self.blocked is not None:
            return ""
        folding = self._folding
        is_more = folding.add(came)
        if folding.text and not (is_more or at_end):
            return ""  # invisible, or not whole: what may become a match still may
        begin = len(self._before)
        text = self._before + folding.text
        held = len(text) if at_end else self._rules.tail(text, begin)
        held = begin + folding.down(held - begin)
        spans = self._rules.spans(text, begin, held, self._resume)
        out = self._replaced(text, spans, held)
        if at_end and self.blocked is None:
            out += folding.came[folding.read :]
        folding.let_go(held - begin)
        self._forget(text, held)
        return out

    def _replaced(self, text: str, spans: Spans, held: int) -> str:
        """What goes on of the text up to `held`, with masks."""
        if self._is_plain(spans):
            return self._masked(spans, held)
        begin, folding, resume = len(self._before), self._folding, self._resume
        rules, masks = self._rules.rules, self._rules.masks
        out: list[str] = []
        at = max(begin, self._covered)
        every = [*spans]
        for done, span in enumerate(every, 1):
            start, of, end = span
            resume[of] = end
            is_new = start >= self._covered
            if is_new:
                out.append(self._kept(at - begin, folding.down(start - begin)))
            if self._blocks(text, span, rules[of], is_new=is_new):
                self.blocked = rules[of]
                self._count(Few(every[:done]))
                return "".join(out)
            if is_new:
                out.append(_NOTHING if self._is_json and not self._quoted else masks[of])
            if end > self._covered:
                self._covered = begin + folding.up(end - begin)
            at = self._covered
        self._count(spans)
        if at <= held:
            out.append(self._kept(at - begin, held - begin))
        return "".join(out)

    def _is_plain(self, spans: Spans) -> bool:
        """Whether all of them are replaced, each where it stands."""
        if self._is_json or not self._folding.is_plain:
            return False
        blocking = self._rules.blocking
        return not blocking or blocking.isdisjoint(map(itemgetter(1), spans))

    def _masked(self, spans: Spans, held: int) -> str:
        """The same where nothing blocks and places are the same in the text as it came: there may
        be hundreds of spans."""
        text = self._before + self._folding.came
        since = max(len(self._before), self._covered)
        out, self._covered = spans.masked(text, since, held, self._rules.masks)
        if self._covered > held:
            self._resume.update({of: end for _, of, end in spans})
        self._count(spans)
        return out

    def _blocks(self, text: str, span: Span, rule: Rule, *, is_new: bool) -> bool:
        if self._is_json and rule.act is Act.REDACT:
            return not self._may_mask(text, span, is_new=is_new)
        return rule.act is Act.BLOCK

    def _count(self, spans: Spans) -> None:
        for of, count in spans.counts().items():
            self.counts[self._rules.rules[of]] += count

    def _kept(self, start: int, end: int) -> str:
        """What came, between two places of it folded."""
        folding = self._folding
        if not folding.is_plain:
            start, end = folding.end(start), folding.start(end)
        text = folding.came[start:end]
        if self._is_json and _QUOTE.findall(text).count('"') % 2:
            self._quoted = not self._quoted
        return text

    def _may_mask(self, text: str, span: Span, *, is_new: bool) -> bool:
        """Whether something may stand in the place of what was found: of a text that is JSON, and
        is to stay so, a part of one string, or one value whole."""
        from_, _, to = span
        begin, folding = len(self._before), self._folding
        if self._quoted:
            start, end = folding.down(from_ - begin), folding.up(to - begin)
            found = folding.came[folding.start(start) : folding.end(end)]
            return '"' not in _QUOTE.findall(found)
        if not is_new:
            return to <= self._covered
        opens, closes = text[from_ - 1 : from_], text[to : to + 1]
        return opens in _OPENS and closes in _CLOSES and bool(_VALUE.fullmatch(text, from_, to))

    def _forget(self, text: str, held: int) -> None:
        """What went on is remembered no more, but for its last characters."""
        self._before = text[max(0, held - _BEFORE) : held]
        gone = held - len(self._before)
        self._covered = self._covered - gone if self._covered > held else 0
        self._resume = {rule: end - gone for rule, end in self._resume.items() if end > held}

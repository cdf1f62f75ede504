"""The guard on the token path: what a request asks is looked at before any engine is, and what an
engine says before it leaves.

Where texts cannot be replaced (names, schemas, stop sequences), a rule that redacts refuses. What
is found is counted, never kept. A deployment without guards has none of this.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from inland.decide.guard.questions import Answer
from inland.decide.guard.rules import Rule, ready
from inland.decide.guard.scanning import Scanner
from inland.domain.guards import Act, Guard, Side
from inland.gateway.errors import INVALID, SERVER, Refused, invalid
from inland.ports.engine import (
    CallPart,
    Chat,
    Completion,
    Embedding,
    Message,
    Piece,
    Task,
    Work,
)

#: How OpenAI's dialect says that an answer was cut by who serves it.
CONTENT_FILTER = "content_filter"
#: What records call a text of which a classifier did not say, and what callers are told.
UNANSWERED, UNANSWERED_CODE = "unanswered", "guard_unavailable"

_to_json = msgspec.json.Encoder().encode


class Look:
    """What is looked for on one side: to be kept back (blocked, replaced), and to be noted."""

    __slots__ = ("holding", "noting")

    def __init__(self, guards: Iterable[Guard]) -> None:
        here = tuple(one for one in guards if one.looks)
        self.holding = ready(tuple(one for one in here if one.act is not Act.NOTE))
        self.noting = ready(tuple(one for one in here if one.act is Act.NOTE))


class Guarding:
    """The guards of one tenant on one deployment. `asks`: those with classifiers, by side."""

    __slots__ = ("asks", "input", "output")

    def __init__(self, guards: tuple[Guard, ...], deployment: str) -> None:
        """Raises BadInput for guards that cannot be."""
        self.input, self.output = (
            Look(one for one in guards if side in one.on) for side in (Side.INPUT, Side.OUTPUT)
        )
        self.asks = {
            side: tuple(one for one in guards if one.asks_about(deployment) and side in one.on)
            for side in Side
        }

    def let_in(self, work: Work) -> "tuple[Work, Watch]":
        """What may go to an engine, and who watches the answer. Raises Refused naming the rule."""
        if self.output.holding is not None and work.logprobs:
            text = "this model's guard keeps back some of what it says; leave `logprobs` out."
            raise invalid("logprobs", f"`logprobs` give a text away, and {text}", "guard_logprobs")
        reader = _Reader(self.input)
        task = reader.task(work.task)
        for sequence in work.stop or ():
            reader.fixed("stop", sequence)
        seen = work if task is work.task else replace(work, task=task)
        return seen, Watch(self.output, work, reader.counts, reader.grown_bytes)


def guarding(guards: Iterable[Guard], deployment: str, tenant: str) -> Guarding | None:
    """What is looked for there; None where nothing is."""
    here = tuple(one for one in guards if one.applies(deployment, tenant))
    return Guarding(here, deployment) if here else None


def rule_of(guard: Guard, answer: Answer) -> Rule:
    """What a classifier found, or that it gave no answer, as records have it."""
    return Rule(guard.name, guard.act, guard.name if answer is Answer.FOUND else UNANSWERED)


def unanswered(guard: Guard) -> Refused:
    """What a caller is told where a classifier gave no answer, and nothing goes on without."""
    text = (
        f"The guard `{guard.name}` has no answer from its classifier, and fails closed; ask again."
    )
    return Refused(503, SERVER, UNANSWERED_CODE, text, retry_after_s=1, rules=(guard.name,))


def refused_for(where: str, rule: Rule) -> Refused:
    """What a caller is told of what was found in a request."""
    text = f"The guard `{rule.guard}` refuses what `{where}` holds ({rule.what}); leave that out."
    return Refused(400, INVALID, "guard_blocked", text, where, rules=(rule.guard,))


class _Text:
    """One text, through both kinds of rules."""

    __slots__ = ("_holding", "_noting")

    def __init__(self, look: Look, *, is_json: bool = False) -> None:
        self._holding, self._noting = (
            None if rules is None else Scanner(rules, is_json=is_json)
            for rules in (look.holding, look.noting)
        )

    def feed(self, text: str) -> str:
        if self._noting is not None:
            self._noting.feed(text)
        return text if self._holding is None else self._holding.feed(text)

    def whole(self, text: str) -> str:
        if self._noting is not None:
            self._noting.whole(text)
        return text if self._holding is None else self._holding.whole(text)

    def end(self) -> str:
        if self._noting is not None:
            self._noting.end()
        return "" if self._holding is None else self._holding.end()

    @property
    def holds(self) -> bool:
        return self._holding is not None and self._holding.holds

    @property
    def blocked(self) -> Rule | None:
        return None if self._holding is None else self._holding.blocked

    def counts(self) -> Iterator[tuple[Rule, int]]:
        for one in (self._holding, self._noting):
            if one is not None:
                yield from one.counts.items()


class _Reader:
    """Reads a request's texts. `grown_bytes`: how much longer what replaced them made it."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.counts: Counter[Rule] = Counter()
        self.grown_bytes = 0

    def task(self, task: Task) -> Task:
        match task:
            case Completion(prompts):
                seen = [self.text("prompt", one) for one in prompts]
                return task if seen == prompts else replace(task, prompts=seen)
            case Embedding(texts):
                seen = [self.text("input", one) for one in texts]
                return task if seen == texts else replace(task, texts=seen)
            case Chat():
                return self._chat(task)

    def _chat(self, chat: Chat) -> Chat:
        messages = [self._message(f"messages[{at}]", one) for at, one in enumerate(chat.messages)]
        for at, tool in enumerate(chat.tools):
            self._document(f"tools[{at}]", tool)
        if not isinstance(chat.json, bool):
            self._document("response_format", chat.json)
        return chat if messages == chat.messages else replace(chat, messages=messages)

    def _message(self, where: str, message: Message) -> Message:
        content, calls = message.content, message.tool_calls
        if content:
            content = self.text(f"{where}.content", content)
        if message.tool_call_id:
            self.fixed(f"{where}.tool_call_id", message.tool_call_id)
        if calls:
            calls = list(calls)
            for at, call in enumerate(calls):
                spot, asked = f"{where}.tool_calls[{at}]", call.function
                self.fixed(f"{spot}.id", call.id)
                self.fixed(f"{spot}.function.name", asked.name)
                arguments = self.text(f"{spot}.function.arguments", asked.arguments, is_json=True)
                calls[at] = replace(call, function=replace(asked, arguments=arguments))
        if content == message.content and calls == message.tool_calls:
            return message
        return replace(message, content=content, tool_calls=calls)

    def _document(self, where: str, document: Any) -> None:
        self.fixed(where, _to_json(document).decode(), is_json=True)

    def text(self, where: str, text: str, *, is_json: bool = False) -> str:
        """A text as it may go on. Raises Refused."""
        seen = _Text(self._look, is_json=is_json)
        out = seen.whole(text)
        if seen.blocked is not None:
            raise refused_for(where, seen.blocked)
        self.counts.update(dict(seen.counts()))
        if out != text:
            self.grown_bytes += max(0, len(out.encode()) - len(text.encode()))
        return out

    def fixed(self, where: str, text: str, *, is_json: bool = False) -> None:
        """A text that nothing may take the place of. Raises Refused."""
        seen = _Text(self._look, is_json=is_json)
        seen.whole(text)
        found = dict(seen.counts())
        for rule in found:
            if rule.act is not Act.NOTE:
                raise refused_for(where, rule)
        self.counts.update(found)


class _Choice:
    """One choice of an answer: its text, the arguments of its calls, and what it came to.

    `is_over`: nothing more of it goes on; `is_made`: its engine ended it.
    """

    __slots__ = ("calls", "is_made", "is_over", "text", "tokens")

    def __init__(self, look: Look, *, is_json: bool) -> None:
        self.text = _Text(look, is_json=is_json)
        self.calls: list[_Text] = []
        self.tokens: int | None = None
        self.is_over = self.is_made = False

    def texts(self) -> list[_Text]:
        return [self.text, *self.calls]


class Watch:
    """Over one answer: each piece goes through it, and the same goes on however it was cut.

    `is_cut`: every choice is over, and one would go on but for a guard: no more is to be made.
    """

    __slots__ = (
        *("_asked", "_choices", "_choices_asked", "_is_json", "_judged", "_look"),
        *("grown_bytes", "is_cut"),
    )

    def __init__(self, look: Look, work: Work, asked: Counter[Rule], grown_bytes: int) -> None:
        """`asked`: what was found in the request."""
        says_texts = not isinstance(work.task, Embedding)
        self._look = look if says_texts and (look.holding or look.noting) else None
        self._is_json = isinstance(work.task, Chat) and work.task.json is not False
        self._asked = asked
        self._judged: Counter[Rule] = Counter()
        self._choices_asked = work.choices
        self._choices: dict[int, _Choice] = {}
        self.grown_bytes = grown_bytes
        self.is_cut = False

    def start_over(self) -> None:
        """Nothing of the answer was sent: another will come."""
        self._choices, self.is_cut = {}, False
        self._judged = Counter()

    def asked(self, rule: Rule) -> None:
        """A classifier found something in the request."""
        self._asked[rule] += 1

    def judged(self, rule: Rule) -> None:
        """A classifier found something in the answer."""
        self._judged[rule] += 1

    def take(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """What of `pieces` may go on."""
        if self._look is None:
            return pieces
        out = [one for piece in pieces if (one := self._piece(self._look, piece)) is not None]
        over = [one for one in self._choices.values() if one.is_over]
        self.is_cut = len(over) == self._choices_asked and not all(one.is_made for one in over)
        return out

    def _piece(self, look: Look, piece: Piece) -> Piece | None:
        choice = self._choices.get(piece.index)
        if choice is None:
            choice = self._choices[piece.index] = _Choice(look, is_json=self._is_json)
        choice.is_made = choice.is_made or piece.finish is not None
        if choice.is_over:
            return None
        text = choice.text.feed(piece.text) if piece.text else ""
        calls = [self._part(look, choice, part) for part in piece.calls or ()]
        finish = piece.finish
        if any(one.blocked for one in choice.texts()):
            finish = CONTENT_FILTER
        if finish is not None:
            text += choice.text.end()
            for at, one in enumerate(choice.calls):
                calls.append(CallPart(at, arguments=one.end()))
            if any(one.blocked for one in choice.texts()):
                finish = CONTENT_FILTER
            choice.is_over = True
        if look.holding is None:
            return piece
        if finish != CONTENT_FILTER and not any(one.holds for one in choice.texts()):
            choice.tokens = piece.tokens
        said = [part for part in calls if part.arguments or part.id or part.name]
        if not (text or said or finish):
            return None
        return Piece(piece.index, text, finish, None, choice.tokens, said or None)

    @staticmethod
    def _part(look: Look, choice: _Choice, part: CallPart) -> CallPart:
        while len(choice.calls) <= part.index:
            choice.calls.append(_Text(look, is_json=True))
        arguments = choice.calls[part.index].feed(part.arguments) if part.arguments else ""
        return CallPart(part.index, part.id, part.name, arguments)

    def found(self) -> list[dict[str, Any]]:
        """What was found, as the record has it: rules and counts, never a text."""
        said = self._judged.copy()
        for choice in self._choices.values():
            for text in choice.texts():
                for rule, count in text.counts():
                    said[rule] += count
        return [*_told(Side.INPUT, self._asked), *_told(Side.OUTPUT, said)]


def _told(side: Side, counts: Counter[Rule]) -> list[dict[str, Any]]:
    def order(found: tuple[Rule, int]) -> tuple[str, str]:
        return found[0].guard, found[0].what

    return [
        {
            "rule": rule.guard,
            "found": rule.what,
            "on": side.value,
            "act": rule.act.value,
            "count": count,
        }
        for rule, count in sorted(counts.items(), key=order)
    ]

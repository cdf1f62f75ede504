"""What a gateway asks classifiers: a few questions at once, each within a time, tenants in turn.

A question is a request like any other: of the tenant and key whose text it is about, decided by
policy, held by their budgets, recorded and billed. No guard looks at it, so it asks nothing more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from inland.decide.guard.questions import Answer, answer_in, messages, windows
from inland.domain.guards import Act, Guard, Question
from inland.domain.limits import Limits
from inland.domain.plant import Key
from inland.gateway.errors import Refused
from inland.gateway.exchange import Owner

Heard = Callable[[Answer], None]


class Ask(Protocol):
    """How a question is put: as a request that is answered to `ear`. Raises Refused."""

    def __call__(self, key: Key, model: str, told: str, text: str, ear: "Ear", /) -> None: ...


class Ear:
    """Who hears the answer of one question: as an exchange, without a caller's connection."""

    started = False

    def __init__(self, heard: Heard) -> None:
        self._heard: Heard | None = heard
        self._owner: Owner | None = None

    def own(self, owner: Owner | None) -> None:
        """The request that is to answer it."""
        self._owner = owner

    def begin(self, status: int, headers: bytes) -> None:
        """Never: no question is streamed."""
        raise AssertionError(status, headers)

    def write(self, data: bytes) -> None:
        """Never, as `begin`."""
        raise AssertionError(data)

    finish = cut = write

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """It has been answered."""
        del headers
        self.started = True
        self._tell(answer_in(body.decode()) if status == 200 else Answer.NONE)

    def refuse(self, refused: Refused) -> None:
        """There is no answer."""
        del refused
        self._tell(Answer.NONE)

    def fail(self) -> None:
        """Something of ours broke."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.broke()
        self._tell(Answer.NONE)

    def close(self) -> None:
        """Nobody wants to know any more: its request is ended."""
        self._heard = None
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.hung_up()

    def _tell(self, answer: Answer) -> None:
        self._owner = None
        heard, self._heard = self._heard, None
        if heard is not None:
            heard(answer)


class Inquiry:
    """One question, from when it is wanted until it is answered or nobody wants to know."""

    __slots__ = ("ear", "heard", "key", "question", "until", "window")

    def __init__(
        self, key: Key, question: Question, window: str, until: float, heard: Heard
    ) -> None:
        self.key, self.question, self.window = key, question, window
        self.until = until
        self.heard: Heard | None = heard
        self.ear: Ear | None = None


class Inquiries:
    """All questions of one gateway."""

    def __init__(self, limits: Limits, now: Callable[[], float], ask: Ask) -> None:
        self.limits = limits
        self._now = now
        self._ask = ask
        #: By tenant, whose turn is next first.
        self._waiting: dict[str, deque[Inquiry]] = {}
        self._asked: set[Inquiry] = set()

    def add(
        self, key: Key, question: Question, window: str, heard: Heard, *, asked: bool = True
    ) -> Inquiry:
        """`heard` is told later, once, never from inside this: the answer. Where it is not to
        be `asked`, there is none."""
        until = self._now() + self.limits.classifier_s
        inquiry = Inquiry(key, question, window, until, heard)
        if asked:
            self._waiting.setdefault(key.tenant or "", deque()).append(inquiry)
            self._later()
        else:
            asyncio.get_running_loop().call_soon(self._answered, inquiry, Answer.NONE)
        return inquiry

    def drop(self, inquiry: Inquiry) -> None:
        """Nobody wants to know any more."""
        inquiry.heard = None
        if inquiry in self._asked:
            self._asked.discard(inquiry)
            if inquiry.ear is not None:
                inquiry.ear.close()
            self._later()

    def tick(self) -> None:
        """What had all its time has no answer."""
        now = self._now()
        waiting = [one for queue in self._waiting.values() for one in queue]
        for inquiry in [one for one in (*self._asked, *waiting) if one.until <= now]:
            heard = inquiry.heard
            self.drop(inquiry)
            if heard is not None:
                heard(Answer.NONE)
        kept = {
            tenant: deque(one for one in queue if one.heard is not None)
            for tenant, queue in self._waiting.items()
        }
        self._waiting = {tenant: queue for tenant, queue in kept.items() if queue}

    def _later(self) -> None:
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        while self._waiting and len(self._asked) < self.limits.classifier_asks:
            tenant = next(iter(self._waiting))
            queue = self._waiting.pop(tenant)
            inquiry = queue.popleft()
            if queue:
                self._waiting[tenant] = queue  # behind the others
            if inquiry.heard is not None:
                self._put(inquiry)

    def _put(self, inquiry: Inquiry) -> None:
        def heard(answer: Answer) -> None:
            asyncio.get_running_loop().call_soon(self._answered, inquiry, answer)

        self._asked.add(inquiry)
        inquiry.ear = Ear(heard)
        told, text = messages(inquiry.question, inquiry.window)
        try:
            self._ask(inquiry.key, inquiry.question.deployment, told, text, inquiry.ear)
        except Refused:
            heard(Answer.NONE)

    def _answered(self, inquiry: Inquiry, answer: Answer) -> None:
        self._asked.discard(inquiry)
        tell, inquiry.heard = inquiry.heard, None
        if tell is not None:
            tell(answer)
        self._next()


class Found(msgspec.Struct, frozen=True):
    """What was not clean: in which of some texts, by whose question."""

    text: int
    guard: Guard
    answer: Answer


class Panel:
    """The classifiers of one request on one side, asked about one batch of texts after another."""

    def __init__(self, inquiries: Inquiries, key: Key, guards: Sequence[Guard]) -> None:
        self.characters = inquiries.limits.classifier_characters
        self._inquiries = inquiries
        self._key = key
        self._guards = [(one, one.asks) for one in guards if one.asks is not None]
        self._left = inquiries.limits.classifier_questions
        self._open: set[Inquiry] = set()
        self._closed = False
        #: Whether any of it keeps back what it finds.
        self.blocks = any(guard.act is Act.BLOCK for guard, _ in self._guards)

    def ask(self, texts: Iterable[tuple[str, str]], heard: Callable[[list[Found]], None]) -> None:
        """About texts, each with what stood before it; `heard` is told later, once, of all."""
        batch = _Batch(heard)
        for number, (text, before) in enumerate(texts):
            for window in windows(text, self.characters, before):
                for guard, question in self._guards:
                    batch.open += 1
                    self._one(batch, Found(number, guard, Answer.NONE), question, window)
        if not batch.open:
            asyncio.get_running_loop().call_soon(self._tell, batch)

    def _one(self, batch: "_Batch", silent: Found, question: Question, window: str) -> None:
        """`silent`: what it comes to where there is no answer."""

        def heard(answer: Answer) -> None:
            self._open.discard(inquiry)
            if answer is not Answer.CLEAN:
                batch.found.append(msgspec.structs.replace(silent, answer=answer))
            batch.open -= 1
            self._tell(batch)

        asked = self._left > 0
        self._left -= 1
        inquiry = self._inquiries.add(self._key, question, window, heard, asked=asked)
        self._open.add(inquiry)

    def _tell(self, batch: "_Batch") -> None:
        if not batch.open and not self._closed:
            batch.heard(batch.found)

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._closed = True
        for inquiry in self._open:
            self._inquiries.drop(inquiry)
        self._open.clear()


class _Batch:
    """Questions about some texts, until the last was answered."""

    __slots__ = ("found", "heard", "open")

    def __init__(self, heard: Callable[[list[Found]], None]) -> None:
        self.heard = heard
        self.found: list[Found] = []
        self.open = 0

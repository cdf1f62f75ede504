"""A request before it is let in: while classifiers are asked about what it says."""

import logging
from collections.abc import Callable, Iterator

import msgspec

from inland.decide.guard.questions import Answer
from inland.domain.guards import Act
from inland.gateway.errors import Refused
from inland.gateway.exchange import Exchange
from inland.gateway.guarding import Watch, refused_for, rule_of, unanswered
from inland.gateway.inquiries import Found, Panel
from inland.gateway.order import Order
from inland.gateway.refusals import folded, left
from inland.gateway.rulings import Ruling
from inland.gateway.shared import Shared
from inland.ports.engine import Chat, Completion, Embedding, Work

_log = logging.getLogger("inland.gateway")

_to_json = msgspec.json.Encoder().encode


class Entrance:
    """Owns its exchange until all was heard; then `go_on` is called, or it is refused."""

    def __init__(
        self,
        shared: Shared,
        exchange: Exchange,
        ruling: Ruling,
        order: Order,
        go_on: Callable[[], None],
    ) -> None:
        assert order.watch is not None
        self._shared, self._exchange = shared, exchange
        self._ruling, self._order, self._go_on = ruling, order, go_on
        self._watch: Watch = order.watch
        self._where: list[str] = []
        self._panel: Panel | None = None

    def begin(self, panel: Panel) -> None:
        """Ask about all that it says. Its body is held meanwhile."""
        self._hold(len(self._order.received))
        self._panel = panel
        self._exchange.own(self)
        said = [(where, text) for where, text in texts_of(self._order.work) if text]
        self._where = [where for where, _ in said]
        panel.ask([(text, "") for _, text in said], self._heard)

    def _hold(self, size: int) -> None:
        self._shared.bodies.add(self._ruling.tenant.id, size)

    def _heard(self, found: list[Found]) -> None:
        self._hold(-len(self._order.received))
        self._exchange.own(None)
        try:
            self._judge(found)
        except Refused as refused:
            self._shared.refusals.add(folded(self._ruling, refused, self._order.route))
            self._exchange.refuse(refused)
        except Exception:  # noqa: BLE001 - one request's failure is not its neighbours'
            _log.exception("a request failed at the gateway's entrance")
            self._exchange.fail()

    def _judge(self, found: list[Found]) -> None:
        """Raises Refused for what may not go on."""
        silent = None
        for one in found:
            rule = rule_of(one.guard, one.answer)
            self._watch.asked(rule)
            if one.guard.act is Act.BLOCK and one.answer is Answer.FOUND:
                raise refused_for(self._where[one.text], rule)
            if one.guard.fails_closed:
                silent = unanswered(one.guard)
        if silent is not None:
            raise silent
        self._go_on()

    def hung_up(self) -> None:
        """Nobody waits for it any more."""
        if self._panel is None:
            return
        self._panel.close()
        self._hold(-len(self._order.received))
        waited_s = self._shared.clock.monotonic() - self._order.arrived
        self._shared.refusals.add(left(self._ruling, self._order.route, waited_s))

    def broke(self) -> None:
        """Something of ours broke."""
        self.hung_up()

    def pause(self) -> None:
        """Nothing is sent yet."""

    def resume(self) -> None:
        """Nor held back."""


def texts_of(work: Work) -> Iterator[tuple[str, str]]:
    """All that a request says, and where."""
    match work.task:
        case Completion(prompts):
            yield from (("prompt", one) for one in prompts)
        case Embedding(texts):
            yield from (("input", one) for one in texts)
        case Chat() as chat:
            yield from _chat(chat)
    if work.stop:
        yield "stop", "\n".join(work.stop)


def _chat(chat: Chat) -> Iterator[tuple[str, str]]:
    names: dict[str, None] = {}  # short, and often the same: one text
    for at, message in enumerate(chat.messages):
        yield f"messages[{at}].content", message.content or ""
        if message.tool_call_id:
            names[message.tool_call_id] = None
        for number, call in enumerate(message.tool_calls or ()):
            names |= {call.id: None, call.function.name: None}
            where = f"messages[{at}].tool_calls[{number}].function.arguments"
            yield where, call.function.arguments
    yield "tool_calls", "\n".join(names)
    for at, tool in enumerate(chat.tools):
        yield f"tools[{at}]", _to_json(tool).decode()
    if not isinstance(chat.json, bool):
        yield "response_format", _to_json(chat.json).decode()

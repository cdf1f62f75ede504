"""How an answer reaches its caller: whole at the end, or as a stream once that is on the books."""

from collections.abc import Sequence

from inland.gateway.assembly import Assembly
from inland.gateway.dialect.asked import Said, Written
from inland.gateway.dialect.events import error_event
from inland.gateway.errors import Refused
from inland.gateway.exchange import Answering
from inland.ports.engine import Counts, Piece

_STREAM_HEADERS = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"x-accel-buffering: no\r\ninland-receipt: %b\r\nx-request-id: %b\r\n"
)
_WHOLE_HEADERS = (
    b"content-type: application/json\r\ninland-receipt: %b\r\nx-request-id: %b\r\n"
    b"inland-entry: %b\r\n"
)


class WholeDelivery:
    """Nothing leaves before the record is durable."""

    __slots__ = ("_asked", "_assembly", "_choices", "_exchange", "_said")

    def __init__(self, asked: Written, said: Said, choices: int, exchange: Answering) -> None:
        self._asked = asked
        self._said = said
        self._exchange = exchange
        self._choices = choices
        self._assembly = Assembly(choices)

    def has_begun(self) -> bool:
        """Whether the caller was sent any of it."""
        return self._exchange.started

    def start_over(self) -> None:
        """Nothing of it was sent: what was kept is forgotten."""
        self._assembly = Assembly(self._choices)

    def take(self, pieces: Sequence[Piece]) -> bool:
        """Keep `pieces`; whether more may come at once."""
        self._assembly.add(pieces)
        return True

    def close(self) -> bool:
        """No piece will follow: whether the answer is whole."""
        return self._assembly.complete()

    def delivered_tokens(self) -> int:
        """Tokens the caller has, before the end."""
        return 0

    def texts(self, *, complete: bool) -> list[str]:
        """Per choice, what the caller has, or is about to have if the answer is complete."""
        return self._assembly.committed() if complete else []

    def finish(self, counts: Counts, entry: str) -> None:
        """The record is durable: the answer may be given."""
        ref = self._said.id.encode()
        body = self._asked.whole(self._said, self._assembly, counts)
        self._exchange.answer(200, _WHOLE_HEADERS % (ref, ref, entry.encode()), body)

    def fail(self, refused: Refused) -> None:
        """There will be no answer."""
        self._exchange.refuse(refused)


class StreamDelivery:
    """Events leave as they come once the opening is durable; the end waits for the record."""

    __slots__ = (
        "_assembly",
        "_choices",
        "_events",
        "_exchange",
        "_held",
        "_may_begin",
        "_said",
    )

    def __init__(self, asked: Written, said: Said, choices: int, exchange: Answering) -> None:
        self._said = said
        self._exchange = exchange
        self._choices = choices
        self._assembly = Assembly(choices)
        self._held: list[Piece] = []
        self._may_begin = False
        self._events = asked.events(said)

    def has_begun(self) -> bool:
        """Whether the caller was sent any of it."""
        return self._exchange.started

    def start_over(self) -> None:
        """Nothing of it was sent: what was held is forgotten."""
        self._assembly, self._held = Assembly(self._choices), []

    def opening_is_durable(self) -> None:
        """The first byte may leave; what was held does."""
        self._may_begin = True
        held, self._held = self._held, []
        if held:
            self._write(held)

    def take(self, pieces: Sequence[Piece]) -> bool:
        """Relay `pieces`, or hold them; whether more may come at once."""
        self._assembly.add(pieces)
        if not self._may_begin:
            self._held += pieces
        elif pieces:  # a guard may hold back all of them: then nothing has begun
            self._write(pieces)
        return self._may_begin

    def _write(self, pieces: Sequence[Piece]) -> None:
        if not self._exchange.started:
            ref = self._said.id.encode()
            self._exchange.begin(200, _STREAM_HEADERS % (ref, ref))
        self._exchange.write(self._events.write(pieces))

    def close(self) -> bool:
        """No piece will follow: whether the answer is whole."""
        return self._assembly.complete()

    def delivered_tokens(self) -> int:
        """Tokens relayed, by the engine's running count at the last of them."""
        return self._assembly.tokens() if self._exchange.started else 0

    def texts(self, *, complete: bool) -> list[str]:
        """Per choice, what the caller has, or is about to have if the answer is complete."""
        return self._assembly.committed() if complete or self._exchange.started else []

    def finish(self, counts: Counts, entry: str) -> None:
        """The record is durable: the answer may end."""
        self._exchange.finish(self._events.end(counts, entry))

    def fail(self, refused: Refused) -> None:
        """The answer will not be whole: say so, and close in a way that shows it."""
        if self._exchange.started:
            self._exchange.cut(error_event(refused.body()))
        else:
            self._exchange.refuse(refused)


Delivery = WholeDelivery | StreamDelivery

"""Reads an engine's answer as its bytes come: pieces on the way, counts at any time."""

from typing import Protocol

from inland.adapters.openai.events import EventStream, stream_bytes
from inland.adapters.openai.wire import ANSWER, CHUNK, Answer, AnswerChoice, Chunk
from inland.domain.errors import Damaged
from inland.ports.engine import Counts, Piece, Work

#: The longest whole answer taken from an engine, in bytes.
ANSWER_BYTES = 16 << 20
_NOTHING_KNOWN = Counts(exact=False)


class Tally(Protocol):
    """Keeps count of one answer by the engine's own account, in the engine's own way."""

    def take(self, chunk: Chunk) -> list[Piece]:
        """The pieces in one event. Raises Damaged for what cannot be."""
        ...

    def counts(self) -> Counts:
        """What the engine has done so far."""
        ...


class Reader(Protocol):
    """One answer of status 200. `feed` and `close` raise what `events.NONSENSE` names.

    `error`: what the engine sent in place of the rest, if it did.
    """

    error: bytes | None

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that are now whole."""
        ...

    def close(self) -> list[Piece]:
        """The answer has ended: the pieces that were held for that."""
        ...

    def counts(self) -> Counts:
        """What the engine has done so far, by its own account where it gave one."""
        ...


class Streamed:
    """A stream of events."""

    def __init__(self, work: Work, tally: Tally) -> None:
        self.error: bytes | None = None
        self._events = EventStream(stream_bytes(work))
        self._tally = tally

    def feed(self, data: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        for event in self._events.feed(data):
            chunk = CHUNK.decode(event)
            if chunk.error is None:
                pieces += self._tally.take(chunk)
            else:
                self.error = event
        return pieces

    def close(self) -> list[Piece]:
        return []

    def counts(self) -> Counts:
        return self._tally.counts()


class Whole:
    """One JSON document."""

    def __init__(self) -> None:
        self.error: bytes | None = None
        self._received = bytearray()
        self._counts = _NOTHING_KNOWN

    def feed(self, data: bytes) -> list[Piece]:
        self._received += data
        if len(self._received) > ANSWER_BYTES:
            raise Damaged("engine's answer", "too long")
        return []

    def close(self) -> list[Piece]:
        answer = ANSWER.decode(self._received)
        pieces = list(map(AnswerChoice.piece, answer.choices))
        if answer.data:
            pieces += [vector.piece() for vector in answer.data]
        self._counts = _counted(answer, pieces)
        return pieces

    def counts(self) -> Counts:
        return self._counts


def _counted(answer: Answer, pieces: list[Piece]) -> Counts:
    usage = answer.usage
    if usage is not None:
        return Counts(usage.prompt_tokens, usage.completion_tokens or 0, usage.cached)
    if answer.data:
        return _NOTHING_KNOWN
    # for a server that counts nothing: some four bytes of text are a token
    return Counts(0, sum(len(piece.text.encode()) // 4 + 1 for piece in pieces), 0, exact=False)

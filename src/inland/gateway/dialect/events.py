"""A stream's events, ours and never an engine's: what chat and completions have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import msgspec

from inland.gateway.dialect.asked import Said, usage
from inland.ports.engine import Counts, Piece

DONE = b"data: [DONE]\n\n"
encode = msgspec.json.Encoder().encode


class Stream(ABC):
    """Writes one stream's events. Finish events are kept back until the answer's end."""

    def __init__(self, prefix: str, kind: str, said: Said, *, with_usage: bool) -> None:
        head = b'data: {"id":"%b-%b","object":"%b","created":%d,"model":%b,"choices":['
        names = (prefix.encode(), said.id.encode(), kind.encode())
        self._head = head % (*names, said.created, encode(said.model))
        self._tail = b'],"usage":null}\n\n' if with_usage else b"]}\n\n"
        self._with_usage = with_usage
        self._finishes: list[bytes] = []

    @abstractmethod
    def piece(self, piece: Piece) -> bytes:
        """The event of what a piece says."""

    @abstractmethod
    def finish(self, index: int, finish: str) -> bytes:
        """The events that end a choice."""

    def event(self, choice: bytes) -> bytes:
        """An event with that choice in it."""
        return b"%b%b%b" % (self._head, choice, self._tail)

    def write(self, pieces: Iterable[Piece]) -> bytes:
        """The events that may go out now; may be empty."""
        events = []
        for piece in pieces:
            if piece.text or piece.logprobs or piece.calls:
                events.append(self.piece(piece))
            if piece.finish is not None:
                self._finishes.append(self.finish(piece.index, piece.finish))
        return b"".join(events)

    def end(self, counts: Counts, entry: str) -> bytes:
        """The last events, once the record with `entry` (64 hex digits) is durable."""
        last = b"".join(self._finishes)
        if self._with_usage:
            last += b'%b],"usage":%b}\n\n' % (self._head, usage(counts))
        return b"%b: inland-entry %b\n\n%b" % (last, entry.encode(), DONE)


def error_event(body: bytes) -> bytes:
    """The event that ends a stream which failed; `body` is an OpenAI error object."""
    return b"data: %b\n\n" % body

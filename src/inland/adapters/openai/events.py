"""Server-sent events cut out of a byte stream, bounded."""

import httptools
import msgspec

from inland.domain.errors import Damaged, InlandError
from inland.ports.engine import Work

#: The longest single event accepted from an engine, in bytes.
EVENT_BYTES = 1 << 20
#: The longest stream accepted: all tokens of all choices, with their log probabilities.
STREAM_BYTES = 256 << 20
#: What a stream may have beyond its tokens, and for each of them, alone or with probabilities.
_SPARE_BYTES, _TOKEN_BYTES, _LOGPROBS_BYTES = 1 << 20, 4 << 10, 16 << 10
#: Everything before a final answer's body, in bytes.
HEAD_BYTES = 64 << 10
#: What the reading of an answer raises that makes no sense: given up, never passed on.
NONSENSE = (
    httptools.HttpParserError,
    httptools.HttpParserUpgrade,
    InlandError,
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
)
_DATA = b"data:"
_DONE = b"[DONE]"


def stream_bytes(work: Work) -> int:
    """The longest stream accepted as an answer to `work`."""
    if work.max_tokens is None:
        return STREAM_BYTES
    each = _LOGPROBS_BYTES if work.logprobs else _TOKEN_BYTES
    return min(STREAM_BYTES, _SPARE_BYTES + work.choices * work.max_tokens * each)


class EventStream:
    """Feed it bytes; it gives back the data of each event that became whole, to `[DONE]`."""

    def __init__(self, limit_bytes: int = STREAM_BYTES) -> None:
        self._rest = bytearray()  # grown in place: a line may come a byte at a time
        self._left_bytes = limit_bytes
        self._done = False

    def feed(self, data: bytes) -> list[bytes]:
        """The data lines completed by `data`, in order. Raises Damaged on what does not end."""
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise Damaged("engine's stream", "it is longer than any answer")
        if not self._rest and not self._done and _is_one(data):  # as an engine writes them
            event = data[5:].strip()
            if event != _DONE:
                return [event]
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > EVENT_BYTES:
            raise Damaged("engine's stream", "an event longer than 1 MiB")
        events = [line[5:].strip() for line in lines if line.startswith(_DATA)]
        return self._before_done(events) if self._done or _DONE in events else events

    def _before_done(self, events: list[bytes]) -> list[bytes]:
        if self._done or events[-1] != _DONE or events.count(_DONE) > 1:
            if events:
                raise Damaged("engine's stream", "it went on after its end")
            return []
        self._done = True
        return events[:-1]


def _is_one(data: bytes) -> bool:
    """Whether it is one event, and whole."""
    whole = data.endswith(b"\n\n") and data.startswith(_DATA) and data.count(b"\n") == 2
    return whole and len(data) <= EVENT_BYTES

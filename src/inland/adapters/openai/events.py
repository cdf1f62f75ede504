"""Server-sent events cut out of a byte stream, bounded."""

from inland.domain.errors import Damaged

#: The longest single event accepted from an engine, in bytes.
EVENT_BYTES = 1 << 20
#: The longest stream accepted: all tokens of all choices, with their log probabilities.
STREAM_BYTES = 256 << 20
_DATA = b"data:"


class EventStream:
    """Feed it bytes; it gives back the data of each event that became whole."""

    def __init__(self, limit_bytes: int = STREAM_BYTES) -> None:
        self._rest = b""
        self._left_bytes = limit_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The data lines completed by `data`, in order. Raises Damaged on what does not end."""
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise Damaged("engine's stream", "it is longer than any answer")
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > EVENT_BYTES:
            raise Damaged("engine's stream", "an event longer than 1 MiB")
        return [line[5:].strip() for line in lines if line.startswith(_DATA)]

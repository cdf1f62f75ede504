"""What is fuzzed, and the laws: each target takes any bytes and raises where one does not hold.

The first byte of `wire` and `events` says where the rest is cut into reads; laws hold for any.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import h11

from inland.adapters.openai.events import NONSENSE, EventStream
from inland.adapters.openai.tally import PerAnswer, PerChoice
from inland.adapters.openai.wire import CHUNK, ENCODER, body_of
from inland.domain.limits import Limits
from inland.gateway.dialect.routes import ROUTES, Route
from inland.gateway.errors import Refused
from inland.gateway.exchange import Exchange, Incoming
from inland.gateway.protocol import Connection
from inland.gateway.relay import framed
from inland.gateway.sources import Peer

LIMITS = replace(Limits(), body_bytes=2048, bodies_bytes=2048, headers=16, target_bytes=128)
#: The most an answer to a refused request may say, in bytes.
REFUSAL_BYTES = 4096
_CONTINUE = b"100"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Transport:
    """What a connection writes, and what it asks of its socket."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    close = abort

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Desk:
    """Answers everything at once, and remembers it."""

    limits = LIMITS
    about_now = 0.0

    def __init__(self) -> None:
        self.receiving_bytes = 0
        self.asked: list[tuple[bytes, bytes, list, bytes]] = []
        self.later: list[Callable[[], None]] = []

    def peer(self, transport: Transport) -> Peer:
        return Peer(b"", is_proxy=False, scheme=b"http", local="")

    def admit(self, headers: list[tuple[bytes, bytes]], peer: Peer) -> bytes:
        return b""

    def soon(self, call: Callable[[], None]) -> None:
        self.later.append(call)

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def before_body(self, incoming: Incoming, length: int | None) -> None: ...

    def handle(self, incoming: Incoming, exchange: Exchange) -> None:
        self.asked.append((incoming.method, incoming.target, incoming.headers, incoming.body))
        assert len(incoming.body) <= LIMITS.body_bytes
        _frames_once(incoming)
        exchange.answer(200, b"", b"yes")


def _frames_once(incoming: Incoming) -> None:
    """What control would be sent is one request and nothing else, read by another parser."""
    one = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    one.receive_data(framed(incoming))
    try:
        head = one.next_event()
    except h11.RemoteProtocolError:  # stricter than ours: it takes nothing instead of two
        return
    assert isinstance(head, h11.Request)
    assert (head.method, head.target) == (incoming.method, incoming.target)
    body = b""
    while isinstance(event := one.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert (body, one.trailing_data[0]) == (incoming.body, b"")


def _cut(data: bytes, cuts: int) -> list[bytes]:
    """`data` as reads; `cuts` chooses among many ways, 0 is whole."""
    if cuts == 0:
        return [data]
    if cuts == 255:
        return [data[i : i + 1] for i in range(len(data))]
    step = 1 + cuts % 61
    return [data[i : i + step] for i in range(0, len(data), step)]


def _answered(reads: list[bytes]) -> tuple[list, list[bytes], bool]:
    desk, transport = Desk(), Transport()
    connection = Connection(desk)
    connection.connection_made(transport)
    for read in reads:
        connection.data_received(read)
        while desk.later:
            desk.later.pop()()
    connection.sweep(1e9)  # time is up: who has not sent all is told, or cut
    # Which of two reasons is told, and whether to go on, may depend on the reads; no status does.
    statuses = [one for one in _STATUS.findall(transport.written) if one != _CONTINUE]
    told = (desk.asked, statuses, transport.closed)
    connection.connection_lost(None)
    assert desk.receiving_bytes == 0
    return told


def wire(data: bytes) -> None:
    """HTTP: any bytes, in any reads, are answered alike; each request would be framed once."""
    cuts, rest = data[:1], data[1:]
    assert _answered(_cut(rest, 0)) == _answered(_cut(rest, cuts[0] if cuts else 0))


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _is_short(refused: Refused) -> None:
    told = refused.body()
    assert len(told) <= REFUSAL_BYTES
    assert refused.status == 400
    json.loads(told)


def _ask(route: Route, data: bytes) -> None:
    try:
        asked = route.decode(data, LIMITS)
        list(asked.needs())
        work = asked.work(LIMITS, 4)
    except Refused as refused:
        _is_short(refused)
        return
    other = json.loads(data, object_pairs_hook=_no_name_twice)
    assert other["model"] == asked.model
    sent = ENCODER.encode(body_of(work, "m", stream=work.stream))
    json.loads(sent, object_pairs_hook=_no_name_twice)


def body(data: bytes) -> None:
    """A request's body: refused in a few words, or understood as any other reader would."""
    for route in ROUTES.values():
        _ask(route, data)


def _events(reads: list[bytes]) -> tuple[list[bytes], bool]:
    stream, found = EventStream(1 << 20), []
    try:
        for read in reads:
            found += stream.feed(read)
    except NONSENSE:
        return [], False
    return found, True


def events(data: bytes) -> None:
    """An engine's stream: the same events in any reads; counts are never nonsense."""
    cuts, rest = data[:1], data[1:]
    whole = _events(_cut(rest, 0))
    assert whole == _events(_cut(rest, cuts[0] if cuts else 0))
    tallies = PerChoice(1), PerChoice(3), PerAnswer(1), PerAnswer(3)
    for event in whole[0]:
        for tally in tallies:
            with suppress(*NONSENSE):
                tally.take(CHUNK.decode(event))
            counts = tally.counts()
            assert 0 <= counts.prompt < 1 << 53
            assert 0 <= counts.completion < 1 << 53


TARGETS: dict[str, Callable[[bytes], None]] = {"wire": wire, "body": body, "events": events}

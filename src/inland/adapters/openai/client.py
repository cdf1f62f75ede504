"""The client of an OpenAI-compatible server: kept connections, counts by the answer's usage.

A streamed request asks for usage; a whole one stays whole. A hang-up costs the connection.
"""

import asyncio
import logging
from typing import cast

import httptools

from inland.adapters.egress.door import Door, origin
from inland.adapters.openai.events import HEAD_BYTES, NONSENSE
from inland.adapters.openai.readers import Reader, Streamed, Whole
from inland.adapters.openai.tally import PerAnswer
from inland.adapters.openai.wire import ENCODER, body_of, error_text, path_of
from inland.domain.errors import Damaged, InlandError
from inland.ports.engine import Call, End, Ending, Piece, Sink, Target, Task, Work

#: What is taken of a refusal, in bytes.
REFUSAL_BYTES = 1 << 16
#: Connections kept open per upstream while nothing uses them.
IDLE_CONNECTIONS = 256
#: Upstreams remembered, a changed key counting as another; the oldest goes first.
UPSTREAMS = 256

_log = logging.getLogger(__name__)


class OpenAI:
    """`ports.Engine` over servers that already exist, reached through the one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._connections: set[_Connection] = set()
        self._upstreams: dict[tuple[str, str | None], _Upstream] = {}

    def call(self, target: Target, work: Work, sink: Sink) -> Call:
        """Begin `work` on a kept connection, or on a new one."""
        where = (target.address, target.key)
        upstream = self._upstreams.get(where)
        if upstream is None:
            upstream = self._upstreams[where] = _Upstream(target, self._door, self._connections)
            if len(self._upstreams) > UPSTREAMS:
                self._upstreams.pop(next(iter(self._upstreams))).close()
        call = _Call(upstream, work, target.model, sink)
        call.start()
        return call

    def recheck(self) -> None:
        """A policy may have closed the way: what would not be connected now ends."""
        for connection in list(self._connections):
            connection.recheck(self._door)

    async def close(self) -> None:
        """Close kept connections."""
        for upstream in self._upstreams.values():
            upstream.close()
        self._upstreams.clear()


class _Upstream:
    """One server with one key: what each request's head starts with, and its idle connections."""

    def __init__(self, target: Target, door: Door, connections: "set[_Connection]") -> None:
        self.origin = origin(target.address)
        self._door = door
        self._connections = connections
        self._idle: list[_Connection] = []
        self._heads: dict[type[Task], bytes] = {}
        key = f"authorization: Bearer {target.key}\r\n" if target.key else ""
        self._head = (
            f"HTTP/1.1\r\nhost: {self.origin.authority}\r\n{key}"
            "content-type: application/json\r\naccept-encoding: identity\r\ncontent-length: "
        )
        self._path = self.origin.path.removesuffix("/v1")

    def head(self, task: Task) -> bytes:
        """A request's head up to the length of its body."""
        kind = type(task)
        head = self._heads.get(kind)
        if head is None:
            head = f"POST {self._path}/v1{path_of(task)} {self._head}".encode("ascii")
            self._heads[kind] = head
        return head

    def take_idle(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
        return None

    async def connect(self) -> "_Connection":
        _, connection = await self._door.open(self.origin, lambda: _Connection(self))
        if connection.usable():
            self._connections.add(connection)
        return connection

    def give_back(self, connection: "_Connection") -> None:
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: "_Connection") -> None:
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        for connection in list(self._idle):
            connection.close()
        self._idle.clear()


class _Connection(asyncio.Protocol):
    """One connection; at most one call at a time."""

    def __init__(self, upstream: _Upstream) -> None:
        self._upstream = upstream
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._call: _Call | None = None
        self._whole = self._keep = self._is_second = False
        self._head_bytes = 0
        self.used = 0

    def recheck(self, door: Door) -> None:
        if self._transport is not None and not door.allows(self._upstream.origin, self._transport):
            self._transport.abort()

    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, call: "_Call", request: bytes) -> None:
        assert self._transport is not None
        self._call = call
        self._head_bytes = 0
        self.used += 1
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        if self.usable():
            cast("asyncio.Transport", self._transport).pause_reading()

    def resume(self) -> None:
        if self.usable():
            cast("asyncio.Transport", self._transport).resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._call is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
            if self._call.received:
                self._call.read()
        except NONSENSE:
            self.close()
            return
        self._head_bytes += 0 if self._call.status or self._whole else len(data)
        if self._head_bytes > HEAD_BYTES:
            self.close()
            return
        call = self._call
        if call is not None:
            if call.pieces:
                call.flush()
            if self._whole:
                self._finish(call)

    def on_message_begin(self) -> None:
        self._is_second = self._whole  # nobody asked for another: it ends the connection
        self._keep = self._keep and not self._whole

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._call is not None and not self._is_second and status >= 200:  # 1xx says nothing
            self._call.status = status

    def on_body(self, data: bytes) -> None:
        if self._call is not None and not self._is_second and self._call.status:
            self._call.received.append(data)

    def on_message_complete(self) -> None:
        if self._call is not None and not self._is_second and self._call.status:
            self._whole, self._keep = True, self._parser.should_keep_alive()

    def _finish(self, call: "_Call") -> None:
        self._call, self._whole = None, False
        if self._keep and self.usable():
            self._upstream.give_back(self)
        else:
            self.close()
        call.complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.forget(self)
        call, self._call = self._call, None
        if call is not None:
            call.lost(reused=self.used > 1)


class _Call:
    __slots__ = (
        "_connecting",
        "_connection",
        "_over",
        "_reader",
        "_refusal",
        "_request",
        "_sink",
        "_upstream",
        "pieces",
        "received",
        "status",
    )

    def __init__(self, upstream: _Upstream, work: Work, model: str, sink: Sink) -> None:
        self.status = 0
        self.received: list[bytes] = []  # of the body, in this read
        self._upstream = upstream
        self._sink = sink
        self._reader: Reader = Whole()
        if work.stream:
            self._reader = Streamed(work, PerAnswer(work.choices))
        body = ENCODER.encode(body_of(work, model, stream=work.stream))
        self._request = b"%b%d\r\n\r\n%b" % (upstream.head(work.task), len(body), body)
        self._connection: _Connection | None = None
        self._refusal = bytearray()
        self.pieces: list[Piece] = []
        self._over = False
        self._connecting: asyncio.Task[None] | None = None

    def start(self) -> None:
        connection = self._connection = self._upstream.take_idle()
        if connection is not None:
            connection.send(self, self._request)
        else:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            connection = await self._upstream.connect()
        except InlandError as error:
            self._end(End(Ending.REFUSED, status=403, why=str(error), connected=False))
        except OSError:
            self._end(End(Ending.GONE, connected=False))
        except Exception:  # noqa: BLE001 - whatever it was, whoever waits must hear of it
            _log.exception("an upstream could not be connected to")
            self._end(End(Ending.GONE, connected=False))
        else:
            if self._over:
                connection.close()
            else:
                self._connection = connection
                connection.send(self, self._request)

    # -- what the caller asks

    def cancel(self) -> None:
        """Hang up. Its last counts are what was seen so far."""
        if self._over:
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(self._end, End(Ending.STOPPED, self._reader.counts()))
        if self._connection is not None:
            self._connection.close()

    def pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    # -- what the upstream sends

    def read(self) -> None:
        """Take in what one read brought of the body. Raises what makes no sense (`NONSENSE`)."""
        data, self.received = b"".join(self.received), []
        if self.status == 200:
            self.pieces += self._reader.feed(data)
            return
        self._refusal += data
        if len(self._refusal) > REFUSAL_BYTES:
            raise Damaged("upstream's refusal", "too long")

    def flush(self) -> None:
        """Hand on what one read brought."""
        if not self._over:
            pieces, self.pieces = self.pieces, []
            self._sink.pieces(pieces)

    def complete(self) -> None:
        """The answer is whole."""
        if self.status != 200:
            self._refused(self.status, bytes(self._refusal))
        elif self._reader.error is not None:
            self._refused(500, self._reader.error)
        else:
            self._close()

    def _refused(self, status: int, body: bytes) -> None:
        self._end(End(Ending.REFUSED, self._reader.counts(), status, error_text(body)))

    def _close(self) -> None:
        try:
            self.pieces += self._reader.close()
        except NONSENSE:
            self._end(End(Ending.GONE, self._reader.counts()))
        else:
            if self.pieces:
                self.flush()
            self._end(End(Ending.COMPLETE, self._reader.counts()))

    def lost(self, *, reused: bool) -> None:
        """The connection is gone. A kept one may have been closed before we wrote: try afresh."""
        if self._over:
            return
        if reused and self.status == 0:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        else:
            self._end(End(Ending.GONE, self._reader.counts()))

    def _end(self, end: End) -> None:
        if not self._over:
            self._over = True
            self._connecting = None
            self._sink.ended(end)

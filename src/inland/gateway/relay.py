"""Everything that is not the token path: parsed once, re-framed, and answered by control.

Control authenticates it itself. A connection per request, so that none ever meets a stale one;
whose turn it is, `Turns` says.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from inland.domain.limits import Limits
from inland.gateway import errors
from inland.gateway.carried import Carried, reset
from inland.gateway.dialect.routes import body_too_large
from inland.gateway.errors import Refused
from inland.gateway.exchange import Exchange, Incoming
from inland.gateway.metrics import Metrics
from inland.gateway.turns import Turns

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_BODYLESS = frozenset({204, 304})
#: What control answers without a key, so that none is missing.
OPEN, OPEN_BELOW = frozenset({b"/healthz", b"/readyz", b"/factory/v1/openapi.json"}), b"/ledger/"

#: What asks for nothing but an answer.
_READS = frozenset({b"GET", b"HEAD"})

#: Hears the status of an answer, 0 where there was none.
Heard = Callable[[int], None]


class Relay:
    """Requests on their way to control, and those that wait for their turn."""

    def __init__(
        self, path: str, limits: Limits, metrics: Metrics, failed: Callable[[bytes], object]
    ) -> None:
        """`failed`: told the source of each request that control answers with 401."""
        self.path = path
        self.failed = failed
        self.limits = limits
        self._metrics = metrics
        self._turns = Turns(limits)
        self._passages: set[Passage] = set()
        self.carried = Carried()

    def handle(
        self,
        incoming: Incoming,
        exchange: Exchange,
        caller: str,
        heard: Heard,
        key: str | None = None,
    ) -> None:
        """Pass `incoming` on; its answer will be control's, and `heard` is called with its status.

        `caller`: as `Turns` has it. `key`: the id of the key it was asked with, where that is one
        that `judge` may find refused. Raises Refused.
        """
        if len(incoming.body) > self.limits.control_body_bytes:
            raise body_too_large(incoming.target, self.limits.control_body_bytes)
        passage = Passage(self, incoming, exchange, caller, heard, key)
        exchange.own(passage)
        self._passages.add(passage)
        if not self._turns.arrive(passage):
            self._passages.discard(passage)
            exchange.own(None)
            unavailable(exchange, "Too many requests wait for control.")

    def judge(self, demand: Callable[[str], object]) -> None:
        """Keys may be refused now: `demand` raises Refused for those. Nothing of the answers to
        their requests leaves any more. Who asked for a change, which may be the one that took the
        key's right away, is still told what came of it."""
        refused: dict[str, Refused] = {}
        for key in {one.key for one in self._passages if one.key is not None} | self.carried.keys():
            try:
                demand(key)
            except Refused as why:
                refused[key] = why
        if not refused:
            return
        for passage in list(self._passages):
            if passage.key is not None and passage.key in refused:
                passage.deny(refused[passage.key])
        self.carried.withhold(refused)

    def left(self, passage: "Passage", status: int) -> None:
        """A passage is over."""
        self._passages.discard(passage)
        self._metrics.relayed.add((str(status),))
        self._turns.left(passage)


def is_open(path: bytes) -> bool:
    """Whether control answers it to anybody."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def unavailable(exchange: Exchange, detail: str) -> None:
    """A 503, in the words of the path that was asked."""
    exchange.refuse(errors.unavailable("unavailable", detail))


def framed(incoming: Incoming) -> bytes:
    """The request as control gets it: one, whole, and nothing that belongs to a connection."""
    dropped = set(_HOP_BY_HOP)
    for name, value in incoming.headers:
        if name == b"connection":
            dropped |= {token.strip().lower() for token in value.split(b",")}
    lines = [b"%b %b HTTP/1.1\r\n" % (incoming.method, incoming.target)]
    lines += [b"%b: %b\r\n" % pair for pair in incoming.headers if pair[0] not in dropped]
    lines.append(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(incoming.body))
    return b"".join(lines) + incoming.body


class Passage(asyncio.Protocol):
    """One request to control and its answer back."""

    def __init__(
        self,
        relay: Relay,
        incoming: Incoming,
        exchange: Exchange,
        caller: str,
        heard: Heard,
        key: str | None,
    ) -> None:
        self.caller = caller
        self.key = key
        self._denied: Refused | None = None
        self._reads = incoming.method in _READS
        self._heard = heard
        self.size = len(incoming.body)
        self._relay = relay
        self._incoming: Incoming | None = incoming
        self._only_head = incoming.method == b"HEAD"
        self._exchange = exchange
        self._parser: httptools.HttpResponseParser | None = None  # once there is a connection
        self._transport: asyncio.Transport | None = None
        self._headers: list[bytes] = []
        self._body: list[bytes] = []
        self._size = 0
        self._length: int | None = None
        self._status = 0
        self._over = self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Connect and send."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._relay.limits.relay_s, self._fail, "Control is slow.")
        self._connecting = loop.create_task(self._connect(loop))

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_unix_connection(lambda: self, self._relay.path)
        except OSError:
            self._fail("The factory's control is not running; it is started again on its own.")

    def deny(self, refused: Refused) -> None:
        """Its key may not have what control answers any more: end it, unless it may be what took
        that away and nothing is answered yet."""
        self.key, self._denied = None, refused
        if self._exchange.started:
            self._exchange.own(None)
            reset(self._exchange.connection)
            self._end()
        elif self._reads or self._status:
            self._refuse(refused)

    # -- as the caller's connection sees it

    def hung_up(self) -> None:
        self._end()

    def broke(self) -> None:
        self._end()

    def pause(self) -> None:
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()

    # -- control's answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._incoming is None:
            self._transport.abort()
        else:
            self._parser = httptools.HttpResponseParser(self)
            self._transport.write(framed(self._incoming))
            if self._paused:
                self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("Control's answer could not be read.")

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length":
            self._length = int(value)
            if self._only_head:
                self._headers.append(b"content-length: %b\r\n" % value)
        elif name not in _HOP_BY_HOP:
            self._headers.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        if self._parser is None or self._incoming is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._status = status
        if status == 401:
            self._relay.failed(self._incoming.source)
        if self._timer is not None:
            self._timer.cancel()
        whole_bytes = self._relay.limits.relay_whole_bytes
        if self._only_head or status in _BODYLESS:
            self._exchange.bodyless(status, b"".join(self._headers))
            self._end()
        elif self._length is None or self._length > whole_bytes:
            if self._denied is not None:
                self._refuse(self._denied)
                return
            self._carry()
            self._exchange.begin(status, b"".join(self._headers))

    def on_body(self, data: bytes) -> None:
        if self._over:
            return
        if self._exchange.started:
            self._exchange.write(data)
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self._over or not self._status:
            return
        if self._exchange.started:
            self._exchange.finish()
        else:
            self._carry()
            self._exchange.answer(self._status, b"".join(self._headers), b"".join(self._body))
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("Control hung up before its answer was whole.")

    def _carry(self) -> None:
        if self.key is not None:
            self._relay.carried.add(self._exchange.connection, self.key)

    def _refuse(self, refused: Refused) -> None:
        self._status = refused.status
        self._exchange.refuse(refused)
        self._end()

    def _fail(self, why: str) -> None:
        if self._over:
            return
        if self._exchange.started:
            self._exchange.cut()
        else:
            self._status = 503
            unavailable(self._exchange, why)
        self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._incoming = self._parser = (
            None  # the parser knows this one: neither would go by itself
        )
        self._body.clear()
        self._heard(self._status)
        self._relay.left(self, self._status)

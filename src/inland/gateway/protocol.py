"""HTTP/1.1 on one connection: parsed within limits, answered in order, closed so it is noticed.

Nothing here knows what a request means; its desk does (`reception.Desk`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from inland.gateway.dialect.routes import body_too_large
from inland.gateway.errors import INVALID, Refused, bad_request, too_large, too_many_bodies
from inland.gateway.exchange import Exchange, Incoming
from inland.gateway.head import Head
from inland.gateway.reception import Desk
from inland.gateway.sources import Peer
from inland.gateway.verbatim import LENGTH_DIGITS, Verbatim, verbatim

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FOREVER = float("inf")
#: Of one read, how much is parsed before what waits is looked at: it may hold many small requests.
_SLICE_BYTES = 8 << 10
#: Requests of one caller that are handed over before others have their turn.
_IN_A_ROW = 64
#: What may lead to none of the parser's calls: line ends, chunk sizes and their extensions.
_FRAMING_BYTES = 64 << 10
#: Headers of an upgrade that is not made; without them the request is an ordinary one.
_UPGRADE = frozenset({b"connection", b"http2-settings", b"upgrade"})
#: Bodies up to this are read before the key is looked at: they cost less than looking twice.
_SMALL_BYTES = 16 << 10


class Connection(asyncio.Protocol):
    """One caller's connection."""

    peer: Peer

    def __init__(self, desk: Desk, secured: Callable[[], None] | None = None) -> None:
        """`secured`: called when TLS stands; without it there is none."""
        self._desk = desk
        self._secured = secured
        self._limits = desk.limits
        self._head: Head | None = None  # of the last request, let in from `_source`
        self._verbatim: Verbatim | None = None  # of a request like it
        self._is_steady = False  # the last head was like the one before, and is no special case
        self._source = self._half = b""  # `_half`: a head known verbatim, whose body is to come
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Incoming] = deque()
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport | None = None
        self._lingering = self._advancing = self._reading_paused = self._ended_message = False
        self._goes_on_soon = self._owes_continue = False
        self._unread: bytes | memoryview = b""
        self._linger_bytes = 0
        self._linger_until = _FOREVER
        self._refusal: Refused | None = None
        self._unsent = 0
        self._ending_tls = False
        self.writing_paused = False
        self.deadline = desk.about_now + self._limits.header_s
        self._reset()

    def _reset(self) -> None:
        self._in_head = True
        self._begun = self._upgrading = False
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._raw_bytes = self._silent_bytes = self._body_bytes = 0
        self._body: bytes | bytearray = b""
        self._incoming: Incoming | None = None

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._secured is not None:
            self._secured()
        self.peer = self._desk.peer(transport)
        self.deadline = self._desk.about_now + self._limits.header_s
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._desk.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._let_go_of_body()
        self._waiting.clear()
        self._unread = self._half = b""
        self._head = self._verbatim = None
        del self._parser  # it knows this one: neither would go by itself
        exchange, self._exchange = self._exchange, None
        self._desk.closed(self)
        if exchange is not None and exchange.owner is not None:
            exchange.owner.hung_up()

    def pause_writing(self) -> None:
        self.writing_paused = True
        self._allow_to_read()
        if self._exchange is not None and self._exchange.owner is not None:
            self._exchange.owner.pause()

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self._exchange is None:
            self._await_more()
            self._advance()
            return
        self.deadline = _FOREVER
        if self._exchange.owner is not None:
            self._exchange.owner.resume()

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            self._discard(len(data))
            return
        if self._half:
            data, self._half, self._begun = self._half + data, b"", False
        if len(data) <= _SLICE_BYTES and not self._unread:
            if self._verbatim is None or not self._is_again(self._verbatim, data):
                self._parse(data)
        else:
            self._unread = memoryview(bytes(self._unread) + data)
        if self._waiting or self._unread:
            self._advance()

    def _is_again(self, verbatim: Verbatim, data: bytes) -> bool:
        """Take in a whole request like one before; whether it is one, and within limits."""
        size = None if self._begun else verbatim.size(data)
        if size is None:
            return False
        head, body = size
        room = min(self._limits.body_bytes, self._limits.bodies_bytes - self._desk.receiving_bytes)
        if head + body == len(data) and body <= room:
            self._raw_bytes = 0
            self._in_head = True
            self._waiting.append(verbatim.again(data, head))
            return True
        if head == len(data) and body <= min(room, _SLICE_BYTES - head):
            self._half, self._begun, self._in_head = data, True, False
            self._target = verbatim.target
            if self._exchange is None:
                self.deadline = self._desk.about_now + self._limits.body_s
            return True
        return False

    def _parse(self, data: bytes | memoryview) -> None:
        is_new = not self._begun
        self._ended_message = False
        upgrade_at = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            upgrade_at = upgrade.args[0]
        except httptools.HttpParserCallbackError as error:
            self._refuse_parsing(error)
        except httptools.HttpParserError:
            self._refuse(bad_request("That is not HTTP/1.1 as RFC 9112 has it."))
        else:
            said = self._waiting[-1] if self._ended_message else self._incoming
            if not self._ended_message:
                self._check_raw(len(data))
            if is_new and said is not None and self._is_steady and self._verbatim is None:
                self._verbatim = verbatim(bytes(data), said)
        if upgrade_at is not None:
            self._go_on_without_upgrade(data[upgrade_at:])

    def _go_on_without_upgrade(self, rest: bytes | memoryview) -> None:
        """An upgrade may be ignored (RFC 9110, 7.8), body and all: parse the head without it."""
        parser = self._parser
        version = parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b\r\n" % (parser.get_method(), self._target, version)]
        lines += [b"%b: %b\r\n" % pair for pair in self._headers if pair[0].lower() not in _UPGRADE]
        self._parser = httptools.HttpRequestParser(self)
        self._parse(b"".join((*lines, b"connection: close\r\n\r\n", rest)))

    # -- the parser's calls

    def on_message_begin(self) -> None:
        self._in_head = self._begun = True
        self._upgrading = False
        self._target = b""
        self._headers = []
        self._raw_bytes = self._silent_bytes = 0
        if self._body_bytes:  # of one that was not finished
            self._let_go_of_body()
        if self._exchange is None:
            self.deadline = self._desk.about_now + self._limits.header_s

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._headers.append((name, value))
        else:
            raise bad_request("Trailers are not accepted.")

    def on_headers_complete(self) -> None:
        parser = self._parser
        method = parser.get_method()
        if method == b"CONNECT":  # which no parser lets go on as a request
            raise bad_request("CONNECT asks for a tunnel, and this is no proxy.")
        if parser.should_upgrade():
            self._upgrading = True
            return
        self._in_head = False
        self._raw_bytes = self._silent_bytes = 0
        version = parser.get_http_version()
        head = self._read_head(version)
        incoming = self._incoming = Incoming(
            method,
            self._target,
            head.headers,
            head.authorization,
            b"",
            parser.should_keep_alive(),
            version == "1.1",
            self._source,
        )
        if head.length is None or head.length > _SMALL_BYTES:
            self._desk.before_body(incoming, head.length)
        self._owes_continue = head.expects and incoming.chunks and head.length != 0
        if self._exchange is None and not self._waiting and head.length != 0:
            self._await_more()

    def _read_head(self, version: str) -> Head:
        """Within limits, and let in. Raises Refused."""
        head = self._head
        if head is not None and head.is_like(self._headers):
            head.check(version, self._target, self._limits)
            room = self._limits.header_bytes - LENGTH_DIGITS  # for a length of more digits
            self._is_steady = not head.expects and head.size + len(self._target) <= room
            return head
        self._is_steady, self._verbatim = False, None
        head = Head(self._headers)
        head.check(version, self._target, self._limits)
        self._source = self._desk.admit(head.headers, self.peer)
        self._head = head
        return head

    def on_body(self, data: bytes) -> None:
        self._silent_bytes = 0
        self._owes_continue = False
        self._body_bytes += len(data)
        self._desk.receiving_bytes += len(data)
        if self._body_bytes > self._limits.body_bytes:
            raise body_too_large(self._target, self._limits.body_bytes)
        if self._desk.receiving_bytes > self._limits.bodies_bytes:
            raise too_many_bodies()
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body) + data

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        if self._body:
            incoming.body = bytes(self._body)
            self._let_go_of_body()
        self._waiting.append(incoming)
        self._begun, self._in_head = False, True
        self._raw_bytes = self._silent_bytes = 0
        self._owes_continue = False
        self._ended_message = True

    def _let_go_of_body(self) -> None:
        self._desk.receiving_bytes -= self._body_bytes
        self._body_bytes = 0
        self._body = b""

    # -- limits that the parser's calls cannot see

    def _check_raw(self, size: int) -> None:
        """Bytes that led to no call: an endless header, trailer or chunk extension."""
        self._raw_bytes += size
        self._silent_bytes += size
        if self._silent_bytes > self._limits.header_bytes + _FRAMING_BYTES:
            self._refuse(Refused(431, INVALID, "headers_too_large", "The headers are too large."))
        elif self._raw_bytes > 2 * self._limits.body_bytes + _FRAMING_BYTES:
            self._refuse(too_large("body", self._limits.body_bytes))

    def _refuse_parsing(self, error: Exception) -> None:
        cause = error.__context__ if error.__cause__ is None else error.__cause__
        if isinstance(cause, Refused):
            self._refuse(cause)
        elif cause is not None:
            raise cause
        else:
            self._refuse(bad_request("The request could not be parsed."))

    def _refuse(self, refused: Refused) -> None:
        """After what was asked before is answered, say why this one is not, and read no more."""
        self._stop_reading_requests()
        target = b"" if self._in_head else self._target  # half a path says nothing
        refusal = Incoming(b"", target, [], None, b"", keep_alive=False, chunks=False)
        self._waiting.append(refusal)
        self._refusal = refused

    def _stop_reading_requests(self) -> None:
        """What comes from now on is thrown away, within its own limits."""
        if self._lingering:
            return
        self._lingering = True
        self._unread = b""
        self._let_go_of_body()
        self._linger_bytes = self._limits.linger_bytes

    def _discard(self, size: int) -> None:
        """The caller still sends: let it, for a while, so that no reset eats its answer."""
        self._linger_bytes -= size
        if self._linger_bytes < 0:
            self.abort()
        elif self._linger_until < _FOREVER and not self.is_sending():
            quiet_s = self._limits.linger_quiet_s
            self.deadline = min(self._desk.about_now + quiet_s, self._linger_until)

    # -- answering, one at a time and in order

    def _advance(self) -> None:
        """Answer what has come, and go on parsing as long as not too much waits."""
        if self._advancing:
            return
        self._advancing = True
        left = self._hand_over(_IN_A_ROW)
        while left and self._unread and len(self._waiting) < self._limits.requests_ahead:
            data, self._unread = self._unread[:_SLICE_BYTES], self._unread[_SLICE_BYTES:]
            self._parse(data)
            left = self._hand_over(left)
        self._advancing = False
        if not left and not self._goes_on_soon:
            self._goes_on_soon = True
            self._desk.soon(self._go_on)
        if self._waiting or self._reading_paused or self._goes_on_soon:
            self._throttle()

    def _go_on(self) -> None:
        """After a row of requests: others have had their turn."""
        self._goes_on_soon = False
        self._advance()

    def _hand_over(self, most: int) -> int:
        """One after the other, as long as the caller takes the answers; how many more it may be."""
        while most and self._waiting and self._exchange is None and self._transport is not None:
            if self.writing_paused:
                break
            most -= 1
            incoming = self._waiting.popleft()
            exchange = self._exchange = Exchange(
                self,
                incoming.keep_alive,
                incoming.method == b"HEAD",
                incoming.target,
                incoming.chunks,
            )
            self.deadline = _FOREVER
            if incoming.method:
                self._desk.handle(incoming, exchange)
            elif self._refusal is not None:
                exchange.refuse(self._refusal)
        return most

    def _throttle(self) -> None:
        """Read no further ahead than the limit; with one request at a time this does nothing."""
        full = self._goes_on_soon or len(self._waiting) >= self._limits.requests_ahead
        if full == self._reading_paused or self._transport is None:
            return
        self._reading_paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def over(self, exchange: Exchange, *, keep_alive: bool) -> None:
        """An exchange has written its last."""
        if self._exchange is not exchange or self._transport is None:
            return
        self._exchange = None
        if not keep_alive:
            self._linger()
            return
        if self.writing_paused:
            self._allow_to_read()
        else:
            self._await_more()
        if self._waiting or self._unread or self._reading_paused:
            self._advance()

    def _await_more(self) -> None:
        """Nothing is being answered: how long the caller may take for what it sends next."""
        limits = self._limits
        if self._lingering:
            wait_s = limits.linger_quiet_s
        elif not self._begun:
            wait_s = limits.idle_s
        else:
            wait_s = limits.header_s if self._in_head else limits.body_s
        self.deadline = self._desk.about_now + wait_s
        if self._owes_continue and not self._waiting:
            self._owes_continue = False
            self.write(_CONTINUE)

    def _linger(self) -> None:
        """Close our side and read on a little: a reset would take the answer from the caller."""
        assert self._transport is not None
        self._stop_reading_requests()
        self._waiting.clear()
        self._linger_until = self._desk.about_now + self._limits.linger_s
        self.deadline = self._desk.about_now + self._limits.linger_quiet_s
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        if self._transport.get_write_buffer_size():
            self._allow_to_read()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._end_tls()

    def _end_tls(self) -> None:
        """Once all is sent, say in TLS that nothing follows; it reads on until the caller says so.

        Not earlier: from then on a caller that reads slowly has no more than TLS' own patience.
        """
        assert self._transport is not None
        if not self._ending_tls and not self._transport.get_write_buffer_size():
            self._ending_tls = True
            self._transport.close()

    def _allow_to_read(self) -> None:
        assert self._transport is not None
        self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._desk.about_now + self._limits.stall_s

    def _has_read_more(self) -> bool:
        """Whether a slow caller took enough since it was looked at last; then it gets more time."""
        assert self._transport is not None
        unsent = self._transport.get_write_buffer_size()
        if unsent and unsent > self._unsent - self._limits.stall_bytes:
            return False
        self._allow_to_read()
        return True

    # -- called from outside

    @property
    def transport(self) -> asyncio.Transport | None:
        """While it is open."""
        return self._transport

    def sweep(self, now: float) -> None:
        """Once a second: end what takes too long."""
        if self._transport is None:
            return
        if self._lingering and self._exchange is None and not self._transport.can_write_eof():
            self._end_tls()
        if now < self.deadline:
            return
        if self._unsent and self._has_read_more():
            return
        is_asking = self._begun and self._exchange is None and not self._lingering
        if is_asking and not self.writing_paused:
            self._refuse(Refused(408, INVALID, "too_slow", "The request took too long to arrive."))
            self._advance()
        else:
            self._transport.abort()

    def refuse(self, refused: Refused) -> None:
        """Turn the caller away before it asked anything."""
        self._refuse(refused)
        self._advance()

    def is_sending(self) -> bool:
        """Whether something written has not left yet; below TLS that shows only in its end."""
        return self._transport is not None and (
            self._ending_tls or self._transport.get_write_buffer_size() > 0
        )

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def close_when_idle(self) -> None:
        """The gateway is ending: no further request is taken."""
        if self._exchange is None:
            if self._transport is not None:
                self._transport.close()
        else:
            self._exchange.close_after()

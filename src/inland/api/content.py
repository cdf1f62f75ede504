"""Content on its way in: a body of octets, or a form with a file, whose length is said. It is read
off its connection by the very thread that works on it, piece by piece into a buffer that stays in
the processor's cache.

uvicorn hands a body on in pieces, each copied several times between its parser and whoever asks;
for the parts of an asset that was most of what an upload took.
"""

import asyncio
import os
import select
import socket
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import httptools
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inland.domain.errors import BadInput
from inland.ports.clock import Clock

OCTETS, MULTIPART = b"application/octet-stream", b"multipart/form-data"
#: Where an ASGI scope has it.
EXTENSION = "inland.content"
#: Sent ahead of what the other end has read: it and we take turns less often.
SEND_BYTES = 1 << 20
#: Most of a body that is left to who takes it: nothing of that is held.
TAKEN_BYTES = 32 << 20
#: Read, digested and sealed at a time: a core's own cache has room for it before and after.
PIECE_BYTES = 256 << 10
#: What one body may let us wait for it, in all, in seconds.
WAIT_S = 30.0


class Content:
    """A body that comes. One thread takes it; until that is over nobody else reads from there."""

    def __init__(self, length: int, connection: int, clock: Clock) -> None:
        """`connection`: a descriptor that does not block; it is duplicated."""
        self._left = length
        self._ahead = bytearray()
        self._connection = socket.socket(fileno=os.dup(connection))
        self._clock = clock
        self._wait_s = WAIT_S

    def __len__(self) -> int:
        """Bytes that were not taken yet."""
        return self._left

    def came(self, data: bytes) -> None:
        """On the loop, before anybody takes of it: what was read with the head."""
        self._ahead += data

    def take(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes; a piece is gone when the next one is asked for.

        Raises BadInput where they do not come.
        """
        room = memoryview(bytearray(min(length, PIECE_BYTES)))
        while length:
            piece = room[: min(length, len(room))]
            self._fill(piece)
            length -= len(piece)
            yield piece

    def drop(self) -> bool:
        """Let what is left go by; whether it came."""
        try:
            for _ in self.take(self._left):
                pass
        except BadInput:
            return False
        return True

    @property
    def is_closed(self) -> bool:
        """Whether it let go of the connection."""
        return self._connection.fileno() < 0

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _fill(self, piece: memoryview) -> None:
        at = min(len(piece), len(self._ahead))
        piece[:at] = self._ahead[:at]
        del self._ahead[:at]
        while at < len(piece):
            got = self._received(piece[at:])
            if not got:
                raise BadInput("content", f"{self._left - at} bytes of it did not come")
            at += got
        self._left -= at

    def _received(self, into: memoryview) -> int:
        """How many came; none where no more will."""
        while self._wait_s > 0:
            try:
                return self._connection.recv_into(into)
            except BlockingIOError:
                self._wait()
            except OSError:
                return 0
        return 0

    def _wait(self) -> None:
        began = self._clock.monotonic()
        waiting = select.poll()
        waiting.register(self._connection, select.POLLIN)
        waiting.poll(self._wait_s * 1000)
        self._wait_s -= self._clock.monotonic() - began


def content_of(scope: Scope) -> Content | None:
    """The content of a request that came with one; any other's body is read as ever."""
    found: Content | None = scope.get("extensions", {}).get(EXTENSION, {}).get("body")
    return found


class Pieces(Response):
    """Content on its way out, piece by piece. The first is asked for at once, so that what stands
    in its way is an answer; where another does not come, the connection ends. Once the other end
    has hung up none is asked for any more. `pieces` come to their end only when all of it has been
    taken off our hands, and are closed whatever happens."""

    def __init__(
        self, length: int, pieces: Generator[memoryview, None, None], media_type: str
    ) -> None:
        headers = {"content-length": str(length), "cache-control": "no-store"}
        super().__init__(None, headers=headers, media_type=media_type)
        self._left = length
        self._piece: memoryview | None = next(pieces)
        self._more = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        try:
            await send({"type": "http.response.start", **start})
            while self._piece is not None:
                self._left -= len(self._piece)
                await send({"type": "http.response.body", "body": self._piece, "more_body": True})
                self._piece = None  # gone before the next one comes
                if not self._left:  # to send waits for what was sent before
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
                if await _hung_up(receive):
                    return
                self._piece = await run_in_threadpool(next, self._more, None)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._piece = None
            await run_in_threadpool(self._more.close)


async def _hung_up(receive: Receive) -> bool:
    """Whether the other end has, as far as is known without waiting."""
    try:
        async with asyncio.timeout(0):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


class ContentFirst:
    """ASGI around an app, for requests with content: before the answer begins, what nobody took of
    it goes by, so that who sends it comes to read the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        over = scope["extensions"][EXTENSION]["over"]
        is_told, is_over = False, asyncio.Event()

        async def receiving() -> Message:
            nonlocal is_told
            if is_told:  # who listens for the connection's end does not read of it meanwhile
                await is_over.wait()
                return await receive()
            is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def sending(message: Message) -> None:
            await over()
            is_over.set()
            await send(message)

        try:
            await self._app(scope, receiving, sending)
        finally:
            await over()


class ContentProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, but that bodies of content no longer than `limit_bytes` are left to whoever
    takes them (`content_of`); `ContentFirst` says when that is over.

    Whether a head is one that may be asked is still the parser's to say, and a longer body, one
    without a length or one that waits to be asked for goes the ordinary way, to be refused there.
    """

    def __init__(self, *words: Any, limit_bytes: int, clock: Clock, **more: Any) -> None:
        super().__init__(*words, **more)
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._content: Content | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._leave_the_rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._leave_the_rest()

    def on_headers_complete(self) -> None:
        length = self._length()
        if 0 < length <= self._limit_bytes:
            raw = self.transport.get_extra_info("socket")
            content = Content(length, raw.fileno(), self._clock)
            over = partial(self._over, content, asyncio.Lock())
            self.scope["extensions"] = {EXTENSION: {"body": content, "over": over}}
            self._content = content
            self.flow.pause_reading()  # before its request can begin
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._content is None:
            super().on_body(body)
        else:
            self._content.came(body)

    def on_message_complete(self) -> None:
        self._content = None
        super().on_message_complete()

    def _leave_the_rest(self) -> None:
        """To who takes it: an earlier request's end or its patience let the loop read again."""
        if self._content is not None:
            self.flow.pause_reading()

    async def _over(self, content: Content, one_by_one: asyncio.Lock) -> None:
        """Nobody takes of it any more. What comes next is another request, or nothing."""
        async with one_by_one:
            if content.is_closed:
                return
            came = not len(content) or await self.loop.run_in_executor(None, content.drop)
            content.close()
        if self.transport.is_closing():
            return
        if not came:
            self.transport.abort()
            return
        if self._content is content:  # its parser still waits for the body
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.on_message_complete()
        self.flow.resume_reading()

    def _length(self) -> int:
        """Of a body of content that is left to who takes it; else 0."""
        said: dict[bytes, bytes] = {}
        for name, value in self.headers:
            if name in {b"transfer-encoding", b"expect", b"upgrade"} or name in said:
                return 0
            if name in {b"content-length", b"content-type"}:
                said[name] = value.strip().lower()
        if said.get(b"content-type", b"").partition(b";")[0].rstrip() not in {OCTETS, MULTIPART}:
            return 0
        return int(said.get(b"content-length", b"0"))

"""Content on its way in: a body of octets whose length is said goes into one buffer, once.

uvicorn hands a body on in pieces, each copied several times between its parser and whoever asks;
for the parts of an asset that was most of what an upload took.
"""

import asyncio
import socket
from typing import Any

import httptools
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

OCTETS = b"application/octet-stream"
#: Where an ASGI scope has it.
EXTENSION = "inland.content"
#: Sent ahead of what the other end has read: it and we take turns less often.
SEND_BYTES = 1 << 20


class Content:
    """A body that comes; all of its memory is there from the beginning."""

    def __init__(self, length: int) -> None:
        self._room = memoryview(bytearray(length))
        self._at = 0
        self._over = asyncio.Event()

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self._at == len(self._room)

    def take(self, data: bytes) -> int:
        """Take in what came, as far as it belongs here: how many bytes that were."""
        end = min(self._at + len(data), len(self._room))
        taken = end - self._at
        self._room[self._at : end] = data if taken == len(data) else data[:taken]
        self._at = end
        if self.is_whole:
            self._over.set()
        return taken

    def cut(self) -> None:
        """No more will come."""
        self._over.set()

    async def whole(self) -> memoryview | None:
        """All of it once it is there; None where it was cut."""
        await self._over.wait()
        return self._room if self.is_whole else None


def content_of(scope: Scope) -> Content | None:
    """The content of a request that came with one; any other's body is read as ever."""
    found: Content | None = scope.get("extensions", {}).get(EXTENSION, {}).get("body")
    return found


class Pieces(Response):
    """Content on its way out, of several pieces that nobody puts together before."""

    def __init__(self, pieces: list[bytes], media_type: str) -> None:
        length = sum(map(len, pieces))
        headers = {"content-length": str(length), "cache-control": "no-store"}
        super().__init__(None, headers=headers, media_type=media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class ContentProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, but past its parser for bodies of octets no longer than `limit_bytes`.

    Whether a head is one that may be asked is still the parser's to say, and a longer body, one
    without a length or one that waits to be asked for goes the ordinary way, to be refused there.
    """

    def __init__(self, *words: Any, limit_bytes: int, **more: Any) -> None:
        super().__init__(*words, **more)
        self._limit_bytes = limit_bytes
        self._content: Content | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._content is not None:
            self._content.cut()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._content is None:
            super().data_received(data)
            return
        taken = self._content.take(data)
        if self._content.is_whole:
            self.parser = httptools.HttpRequestParser(self)  # the last one still waits for it
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.on_message_complete()
            if taken < len(data):
                super().data_received(data[taken:])

    def on_headers_complete(self) -> None:
        length = self._length()
        if 0 < length <= self._limit_bytes:
            self._content = Content(length)
            self.scope["extensions"] = {EXTENSION: {"body": self._content}}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._content is None:
            super().on_body(body)
        else:
            self._content.take(body)

    def on_message_complete(self) -> None:
        self._content = None
        super().on_message_complete()

    def _length(self) -> int:
        """Of a body of octets that can be taken past the parser; else 0."""
        said: dict[bytes, bytes] = {}
        for name, value in self.headers:
            if name in {b"transfer-encoding", b"expect", b"upgrade"} or name in said:
                return 0
            if name in {b"content-length", b"content-type"}:
                said[name] = value.strip().lower()
        if said.get(b"content-type") != OCTETS:
            return 0
        return int(said.get(b"content-length", b"0"))

"""One request on a connection: how its answer is written, and who hears of a hang-up."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import msgspec

from inland.gateway.errors import Refused, internal

if TYPE_CHECKING:
    from inland.gateway.protocol import Connection


class _Lines(dict[int, bytes]):
    """The first line of an answer, by its status."""

    def __missing__(self, status: int) -> bytes:
        return b"HTTP/1.1 %d Unknown\r\n" % status


STATUS_LINES = _Lines(
    (int(status), b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())) for status in HTTPStatus
)

#: What every path of the token path begins with.
TOKEN_PATH = b"/v1/"


class Incoming(msgspec.Struct, gc=False):
    """A request as received. Header names are in lower case; `target` is path and query."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    authorization: bytes | None
    body: bytes
    keep_alive: bool
    chunks: bool  # the caller understands a chunked answer (HTTP/1.1)
    source: bytes = b""  # where it comes from, as `Sources` tells them apart
    shown: bytes = b""  # `keys.shown` of its authorization, where that was reckoned before


def is_token_path(target: bytes) -> bool:
    """Whether a target is in OpenAI's dialect."""
    return target.startswith(TOKEN_PATH)


class Owner(Protocol):
    """Whoever answers an exchange, while it does."""

    def hung_up(self) -> None:
        """The caller is gone; nothing can be written any more."""
        ...

    def broke(self) -> None:
        """Something of ours failed; the caller is told elsewhere."""
        ...

    def pause(self) -> None:
        """The caller reads too slowly: produce no more."""
        ...

    def resume(self) -> None: ...


class Answering(Protocol):
    """An exchange as a request sees it; a question inside the gateway has one too."""

    started: bool

    def own(self, owner: Owner | None) -> None: ...

    def answer(self, status: int, headers: bytes, body: bytes) -> None: ...

    def refuse(self, refused: Refused) -> None: ...

    def begin(self, status: int, headers: bytes) -> None: ...

    def write(self, data: bytes) -> None: ...

    def finish(self, data: bytes) -> None: ...

    def cut(self, data: bytes) -> None: ...

    def fail(self) -> None: ...


class Exchange(msgspec.Struct, eq=False):
    """The answering side of one request. Every method is harmless once the caller is gone.

    `owner`: set by `own`. `chunked`: as `Incoming.chunks`.
    """

    connection: Connection
    _keep_alive: bool
    _only_head: bool
    _target: bytes
    chunked: bool
    owner: Owner | None = None
    started: bool = False

    def own(self, owner: Owner | None) -> None:
        """From now on `owner` hears of hang-ups and slow reading."""
        self.owner = owner
        if owner is not None and self.connection.writing_paused:
            owner.pause()

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """The whole answer at once, to HEAD without its body. `headers`: lines, each ended."""
        keep = b"" if self._keep_alive else b"connection: close\r\n"
        sent = b"" if self._only_head else body
        self.started = True
        self.connection.write(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (STATUS_LINES[status], headers, len(body), keep, sent)
        )
        self._over(keep_alive=self._keep_alive)

    def bodyless(self, status: int, headers: bytes) -> None:
        """An answer whose headers say all there is to say of its body's length."""
        keep = b"" if self._keep_alive else b"connection: close\r\n"
        self.started = True
        self.connection.write(b"%b%b%b\r\n" % (STATUS_LINES[status], headers, keep))
        self._over(keep_alive=self._keep_alive)

    def refuse(self, refused: Refused) -> None:
        """An OpenAI error object; RFC 9457 problem details off the token path."""
        problems = self._target[:1] == b"/" and not is_token_path(self._target)
        kind = b"problem+json" if problems else b"json"
        headers = b"content-type: application/%b\r\n" % kind
        if refused.retry_after_s is not None:
            headers += b"retry-after: %d\r\n" % refused.retry_after_s
        if refused.status == 401:
            headers += b"www-authenticate: Bearer\r\n"
        if refused.allow is not None:
            headers += b"allow: %b\r\n" % refused.allow.encode()
        body = refused.problem() if problems else refused.body()
        self.answer(refused.status, headers, body)

    def begin(self, status: int, headers: bytes) -> None:
        """The head of an answer whose length is not known yet."""
        self.started = True
        self._keep_alive = self._keep_alive and self.chunked
        keep = b"" if self._keep_alive else b"connection: close\r\n"
        framing = b"transfer-encoding: chunked\r\n" if self.chunked else b""
        lines = (STATUS_LINES[status], headers, keep, framing, b"\r\n")
        self.connection.write(b"".join(lines))

    def write(self, data: bytes) -> None:
        """More of an answer that was begun."""
        if data:
            framed = b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data
            self.connection.write(framed)

    def finish(self, data: bytes = b"") -> None:
        """The last of it."""
        if self.chunked:
            last = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
            self.connection.write(last)
        elif data:
            self.connection.write(data)
        self._over(keep_alive=self._keep_alive)

    def close_after(self) -> None:
        """No further request on this connection."""
        self._keep_alive = False

    def fail(self) -> None:
        """Something of ours broke: its owner lets go, and the caller is told."""
        owner, self.owner = self.owner, None
        self._keep_alive = False
        if owner is not None:
            owner.broke()
        if self.started:
            self.cut()
        else:
            self.refuse(internal())

    def cut(self, data: bytes = b"") -> None:
        """End an answer that will not be whole: no framing claims that it is."""
        self.write(data)
        self._over(keep_alive=False)

    def _over(self, *, keep_alive: bool) -> None:
        self.owner = None
        self.connection.over(self, keep_alive=keep_alive)

"""Octets of a known length are left to who takes them, exact; everything else comes as ever."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import uvicorn

from inland.adapters.files.clock import SystemClock
from inland.api import content as content_module
from inland.api.bounds import Bounds
from inland.api.content import Content, ContentFirst, ContentProtocol, Pieces, content_of
from inland.domain.errors import BadInput
from inland.domain.limits import Limits
from tests.patience import PATIENCE_S

LIMIT = 1 << 20
BODY = bytes(range(256)) * 2048
HEAD = b"PUT /%d HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n"
CUT = b"(cut)"
#: More than the kernel takes off our hands at once.
PIECE = BODY * 8
SIZED = HEAD + b"content-length: %d\r\n\r\n"

Seen = list[tuple[str, bool, bytes]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def seen_by(talk: Talk, folder: Path, *, bounded: bool = False) -> Seen:
    """Path, whether it was left to be taken, and body of each request that an app gets; of one to
    `/left` nothing is taken."""
    seen: Seen = []

    def taken(content: Content) -> bytes:
        try:
            return b"".join(bytes(piece) for piece in content.take(len(content)))
        except BadInput:
            return CUT

    async def app(scope: Any, receive: Any, send: Any) -> None:
        content, body, more = content_of(scope), b"", True
        if content is not None and scope["path"] != "/left":
            body = await asyncio.to_thread(taken, content)
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        seen.append((scope["path"], content is not None, body))
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    limits = Limits.of({"control_body_bytes": LIMIT})
    served(Bounds(app, SystemClock(), limits) if bounded else beside(app), folder, talk)
    return seen


def served(app: Any, folder: Path, talk: Talk) -> None:
    """`talk` with an app over one connection."""

    async def main() -> None:
        path = str(folder / "s")
        config = uvicorn.Config(
            app,
            http=partial(ContentProtocol, limit_bytes=LIMIT, clock=SystemClock()),
            uds=path,
            lifespan="off",
            log_config=None,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it has nothing to wait for
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(path)
        await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        server.should_exit = True
        await serving

    asyncio.run(main())


def beside(app: Any) -> Any:
    async def called(scope: Any, receive: Any, send: Any) -> None:
        await (app if content_of(scope) is None else ContentFirst(app))(scope, receive, send)

    return called


async def answered(reader: asyncio.StreamReader, times: int = 1) -> None:
    for _ in range(times):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"ok"


@pytest.mark.parametrize("step", [1000, 70_000, len(BODY) + 1000])
def test_octets_are_left_to_be_taken_however_they_are_cut(tmp_path: Path, step: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = SIZED % (1, len(BODY)) + BODY + SIZED % (2, 3) + b"abc" + b"GET /3 HTTP/1.1\r\n\r\n"
        for at in range(0, len(sent), step):
            writer.write(sent[at : at + step])
            await writer.drain()
            await asyncio.sleep(0)
        await answered(reader, 3)

    seen = seen_by(talk, tmp_path)
    assert seen == [("/1", True, BODY), ("/2", True, b"abc"), ("/3", False, b"")]


OTHERS = {
    "json": (SIZED % (1, 3) + b"abc").replace(b"octet-stream", b"json"),
    "chunked": HEAD % 1 + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two types": (SIZED % (1, 3)).replace(b"\r\n\r\n", b"\r\ncontent-type: x/y\r\n\r\n") + b"abc",
    "waits to be asked": HEAD % 1 + b"expect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("sent", OTHERS.values(), ids=OTHERS)
def test_what_is_not_plain_octets_goes_the_ordinary_way(tmp_path: Path, sent: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        if b"expect" in sent:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await answered(reader)

    assert seen_by(talk, tmp_path) == [("/1", False, b"abc")]


def test_a_body_beyond_the_limit_is_refused_as_any_other(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SIZED % (1, LIMIT + 1) + bytes(LIMIT + 1))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")

    assert seen_by(talk, tmp_path, bounded=True) == []


def test_who_takes_a_body_that_was_cut_hears_of_it(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SIZED % (1, len(BODY)) + BODY[:-1])
        writer.write_eof()
        with suppress(ConnectionError):
            assert await reader.read() == b"", "nobody is answered"

    assert seen_by(talk, tmp_path, bounded=True) == [("/1", True, CUT)]


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(content_module, "WAIT_S", 0.1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SIZED % (1, len(BODY)) + BODY[:-1])
        with suppress(ConnectionError):
            assert await reader.read() == b"", "nobody is answered"

    assert seen_by(talk, tmp_path, bounded=True) == [("/1", True, CUT)]


def test_what_nobody_takes_goes_by_before_the_answer(tmp_path: Path) -> None:
    """Who sends it reads its answer only then; and the next request begins behind it."""
    left = (SIZED % (1, len(BODY))).replace(b"/1 ", b"/left ") + BODY

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for sent in (left, left, SIZED % (2, len(BODY)) + BODY):
            writer.write(sent)
            await writer.drain()
            await answered(reader)

    assert seen_by(talk, tmp_path, bounded=True) == [("/left", True, b"")] * 2 + [
        ("/2", True, BODY)
    ]


class Asked:
    """Pieces that tell how many were asked for, whether their end was, and whether they were
    closed."""

    def __init__(self, count: int) -> None:
        self.count, self.opened, self.ended = count, 0, False
        self.closed = Event()

    def each(self) -> Generator[memoryview, None, None]:
        try:
            for _ in range(self.count):
                self.opened += 1
                yield memoryview(PIECE)
            self.ended = True
        finally:
            self.closed.set()


def left_by(talk: Talk, folder: Path, asked: Asked) -> None:
    """`talk` with what sends `asked` out."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answer = Pieces(asked.count * len(PIECE), asked.each(), "application/octet-stream")
        await answer(scope, receive, send)

    async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await talk(reader, writer)
        assert await asyncio.to_thread(asked.closed.wait, PATIENCE_S)

    served(Bounds(app, SystemClock(), Limits()), folder, talking)


def test_pieces_leave_whole_and_end_once_all_of_it_was_sent(tmp_path: Path) -> None:
    asked = Asked(3)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            assert not asked.ended
            assert await reader.readexactly(len(PIECE)) == PIECE

    left_by(talk, tmp_path, asked)
    assert (asked.opened, asked.ended) == (3, True)


@pytest.mark.parametrize("count", [1, 8])
def test_who_hangs_up_has_nothing_more_opened_and_did_not_get_it_all(
    tmp_path: Path, count: int
) -> None:
    asked = Asked(count)

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    left_by(talk, tmp_path, asked)
    assert not asked.ended
    assert asked.opened <= 2

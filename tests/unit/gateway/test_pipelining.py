"""Callers that send ahead: what they are not read for, what they hold, and what others wait."""

import asyncio
import gc
import weakref

import pytest

from inland.domain.limits import Limits
from inland.gateway.protocol import Connection
from tests.fuzz.targets import Desk, Transport
from tests.unit.gateway.world import KEYS, caller, request, world

LIMITS = Limits()
TINY = b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n"
AHEAD = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"


class Deaf(Transport):
    """Its other end reads nothing; it says when there is too much for it."""

    def __init__(self, connection: Connection, high: int) -> None:
        super().__init__()
        self.connection, self.high, self.reading = connection, high, True

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.written) > self.high and not self.connection.writing_paused:
            self.connection.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def take_all(self) -> None:
        """It has read all there was."""
        self.written = b""
        self.connection.resume_writing()


class Slow(Desk):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list = []

    def handle(self, incoming, exchange) -> None:
        self.open.append(exchange)


def connected(desk: Desk, high: int = 2000) -> tuple[Connection, Deaf]:
    connection = Connection(desk)
    transport = Deaf(connection, high)
    connection.connection_made(transport)
    return connection, transport


def turns(desk: Desk) -> int:
    """Let all that was put off be done; how often it was."""
    count = 0
    while desk.later:
        desk.later.pop()()
        count += 1
    return count


def test_who_reads_no_answers_is_answered_no_more_and_read_no_further() -> None:
    desk = Desk()
    connection, transport = connected(desk)
    for _ in range(100):
        if transport.reading:
            connection.data_received(TINY * 50)
            turns(desk)
    assert not transport.reading
    assert len(transport.written) < 2200
    answered = len(desk.asked)
    transport.take_all()
    turns(desk)
    assert len(desk.asked) > answered


def test_who_reads_no_answers_is_cut_whatever_it_sends() -> None:
    desk = Desk()
    connection, transport = connected(desk)
    while not transport.closed:
        assert desk.about_now < 3 * desk.limits.stall_s
        if transport.reading:
            connection.data_received(TINY * 3)
        desk.about_now += 1
        connection.sweep(desk.about_now)


def test_others_have_their_turn_between_requests_of_one_read() -> None:
    desk = Desk()
    connection, _ = connected(desk, high=1 << 30)
    connection.data_received(TINY * 1000)
    assert len(desk.asked) < 100
    assert turns(desk) > 10
    assert len(desk.asked) == 1000


def test_what_has_no_end_is_refused_before_it_is_long() -> None:
    for head in (b"0\r\nA: ", b"5;x=", b"0\r\n"):
        desk = Desk()
        desk.limits = LIMITS
        connection, transport = connected(desk)
        connection.data_received(
            b"POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + head
        )
        sent = 0
        while not transport.closed and not transport.written:
            connection.data_received(b"a" * 1000)
            sent += 1000
            assert sent < 200_000
        assert transport.written.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_who_sent_ahead_is_told_to_go_on_once_it_is_its_turn() -> None:
    desk = Slow()
    connection, transport = connected(desk)
    connection.data_received(TINY + AHEAD)
    (first,) = desk.open
    assert transport.written == b""
    first.answer(200, b"", b"yes")
    assert transport.written.endswith(b"yesHTTP/1.1 100 Continue\r\n\r\n")
    assert connection.deadline == desk.about_now + desk.limits.body_s


def test_nobody_is_told_to_go_on_who_went_on_or_does_not_know_of_it() -> None:
    for asked in (
        AHEAD + b"{}",
        AHEAD.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        AHEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        desk = Slow()
        connection, transport = connected(desk)
        connection.data_received(TINY + asked)
        desk.open[0].answer(200, b"", b"yes")
        assert b"100" not in transport.written


def test_http_1_0_knows_no_100() -> None:
    connection, transport = connected(Slow())
    connection.data_received(AHEAD.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert transport.written == b""


def test_a_body_that_is_given_up_is_counted_no_more() -> None:
    desk = Slow()
    connection, _ = connected(desk)
    connection.data_received(
        TINY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        + AHEAD.replace(b"2\r", b"9\r")
        + b"half"
    )
    desk.open[0].answer(200, b"", b"yes")
    assert desk.receiving_bytes == 0
    connection.connection_lost(None)


def test_a_connection_that_is_over_goes_by_itself() -> None:
    gc.disable()
    try:
        connection, transport = connected(Desk())
        connection.data_received(TINY)
        connection.connection_lost(None)
        gone = weakref.ref(connection)
        del connection, transport
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("line", "key", "status"),
    [
        (b"GET /v1/chat/completions", "nobody", 405),
        (b"POST /v1/nope", "nobody", 404),
        (b"GET /v1/models", "nobody", 401),
        (b"POST /v1/models", "demo", 405),
    ],
)
def test_a_large_body_that_nothing_takes_is_not_read(line: bytes, key: str, status: int) -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            whole = request(b"x" * 100_000, key, b"Expect: 100-continue\r\n")
            c.send(whole[:400].replace(b"POST /v1/chat/completions", line))
            assert (await c.reply()).status == status
            assert await c.rest() == b""

    asyncio.run(main())


def test_a_list_of_models_may_be_asked_for_with_a_body() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(
                b"GET /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                b"Authorization: Bearer %b\r\n\r\n0\r\n\r\n" % KEYS["demo"].text.encode()
            )
            assert (await c.reply()).status == 200

    asyncio.run(main())

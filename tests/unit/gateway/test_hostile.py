"""Hostile callers at the parser: the right refusal, one answer, nothing smuggled, nothing kept."""

import asyncio
import json
import re
from dataclasses import replace

import pytest

from inland.domain.limits import Limits
from inland.gateway.protocol import Connection
from tests.fuzz.targets import Desk, Transport
from tests.hostile import SERVED, SMUGGLED, Text, Wire, texts, wires
from tests.patience import PATIENCE_S
from tests.unit.gateway.world import ASK, KEYS, Caller, caller, chat_of, request, world

BODY = json.dumps({"model": "smol", "messages": ASK}).encode()
KEY = KEYS["demo"].text.encode()
WIRES, TEXTS = wires("smol"), texts("smol")
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


async def said(c: Caller, quiet_s: float = 0.3) -> bytes:
    """What comes until the gateway closes, or nothing more comes after an answer."""
    data = b""
    while True:
        try:
            more = await asyncio.wait_for(c.reader.read(65536), quiet_s if data else PATIENCE_S)
        except TimeoutError:
            return data
        if not more:
            return data
        data += more


async def flood(c: Caller) -> None:
    """A hundred megabytes."""
    for _ in range(1000):
        c.send(b"x" * 100_000)
        await c.writer.drain()


@pytest.mark.parametrize("name", WIRES)
def test_a_request_that_frames_two_ways_is_refused_and_what_follows_is_not_read(name: str) -> None:
    async def main(case: Wire) -> None:
        async with world() as w:
            async with caller(w) as c:
                c.send(case.request(KEY))
                first = await c.reply()
                assert first.status == case.status, first.body
                if case.status not in {SERVED, 405}:
                    assert first.headers["connection"] == "close"
                    c.send(SMUGGLED)
                    assert await c.rest() == b""
            async with caller(w) as c:
                c.send(case.request(KEY) + SMUGGLED)
                answers = _STATUS.findall(await said(c))
                assert answers[0] == b"%d" % case.status
                assert len(answers) <= (2 if case.status in {SERVED, 405} else 1)
            served = [chat_of(w, at).messages[0].content for at in range(len(w.engine.calls))]
            assert served == (["Hi", "Hi"] if case.status == SERVED else [])
            await w.until(lambda: not w.gateway._desk.receiving_bytes)

    asyncio.run(main(WIRES[name]))


@pytest.mark.parametrize("name", TEXTS)
def test_a_body_that_reads_two_ways_or_not_at_all_is_refused_by_name(name: str) -> None:
    async def main(case: Text) -> None:
        async with world() as w, caller(w) as c:
            c.ask(case.body)
            got = await c.reply()
            error = json.loads(got.body)["error"]
            assert got.status == case.status, error
            assert case.code in {None, error["code"]}, error
            assert case.param in {None, error["param"]}, error
            assert len(got.body) < 1000
            assert not w.engine.calls
            if case.status == 400:  # the connection is as good as before
                c.ask(BODY)
                assert (await c.reply()).status == 200

    asyncio.run(main(TEXTS[name]))


def test_a_caller_that_still_sends_reads_why_it_was_refused() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(request(b"", extra=b"X: y\r\n").replace(b"Length: 0", b"Length: 20000000"))
            for _ in range(100):
                c.send(b"x" * 200_000)
                await c.writer.drain()
            assert (await c.reply()).status == 413
            assert await c.rest() == b""

    asyncio.run(main())


def test_reading_on_after_a_refusal_is_bounded_in_bytes() -> None:
    async def main() -> None:
        limits = replace(Limits(), linger_bytes=1_000_000, drain_s=0.1)
        async with world(limits) as w, caller(w) as c:
            c.send(request(b"").replace(b"Length: 0", b"Length: 900000000"))
            assert (await c.reply()).status == 413
            with pytest.raises(ConnectionError):
                await flood(c)
            await w.until(lambda: not w.gateway._desk.connections)

    asyncio.run(main())


def test_reading_on_after_a_refusal_is_bounded_in_time() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(request(b"").replace(b"Length: 0", b"Length: 900000000"))
            assert (await c.reply()).status == 413
            for _ in range(12):  # never quiet for long
                w.clock.ahead_s += 1
                w.gateway._desk.tick()
                c.send(b"x")
                await asyncio.sleep(0.02)
            w.gateway._desk.sweep()
            await w.until(lambda: not w.gateway._desk.connections)

    asyncio.run(main())


def test_a_flood_of_requests_in_one_read_is_parsed_as_it_is_answered() -> None:
    async def main() -> None:
        limits = replace(Limits(), requests_ahead=4, drain_s=0.1)
        async with world(limits) as w, caller(w) as c:
            w.engine.answer = None
            ask = request(BODY)
            c.send(ask + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000)
            (call,) = await w.calls(1)
            (connection,) = w.gateway._desk.connections
            await w.until(lambda: connection._reading_paused)
            assert len(connection._waiting) < 500
            call.say("x")
            call.finish()
            assert (await c.reply()).status == 200
            for _ in range(10_000):
                assert (await c.reply()).status == 503

    asyncio.run(main())


def test_a_body_in_many_chunks_takes_no_more_memory_than_its_bytes() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            c.send(head + b"1\r\n \r\n" * 100_000)
            await w.until(lambda: w.gateway._desk.receiving_bytes == 100_000)
            (connection,) = w.gateway._desk.connections
            assert isinstance(connection._body, bytearray)
            assert len(connection._body) == 100_000
        await w.until(lambda: not w.gateway._desk.receiving_bytes)

    asyncio.run(main())


def test_callers_beyond_the_limit_are_told_and_beyond_that_cut() -> None:
    async def main() -> None:
        limits = replace(Limits(), connections=1, connections_refused=1, drain_s=0.1)
        async with world(limits) as w:
            async with caller(w) as first:
                first.ask(BODY)
                assert (await first.reply()).status == 200
                async with caller(w) as second, caller(w) as third:
                    assert (await second.reply()).status == 503
                    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                        await third.reply()
                first.ask(BODY)
                assert (await first.reply()).status == 200
            await w.until(lambda: not w.gateway._desk.connections)
            async with caller(w) as again:  # a place that was given up can be had
                again.ask(BODY)
                assert (await again.reply()).status == 200

    asyncio.run(main())


def test_one_tenant_does_not_hold_every_connection() -> None:
    async def main() -> None:
        limits = replace(Limits(), connections=3, connections_per_tenant=2, drain_s=0.1)
        async with world(limits) as w, caller(w) as one, caller(w) as two, caller(w) as three:
            for c in (one, two):
                c.ask(BODY)
                assert (await c.reply()).status == 200
            three.ask(BODY)
            refused = await three.reply()
            assert (refused.status, refused.headers["connection"]) == (429, "close")
            await three.close()
            await w.until(lambda: len(w.gateway._desk.connections) == 2)
            async with caller(w) as other:
                other.ask(BODY, "acme")
                assert (await other.reply()).status == 200
            await one.close()
            await w.until(lambda: len(w.gateway._desk.connections) == 1)
            async with caller(w) as again:
                again.ask(BODY)
                assert (await again.reply()).status == 200

    asyncio.run(main())


def test_a_caller_that_closes_its_side_early_is_let_go_of() -> None:
    async def main() -> None:
        async with world() as w:
            async with caller(w) as c:
                c.send(request(BODY)[:-5])
                c.writer.write_eof()
                assert await c.rest() == b""
            async with caller(w) as c:
                w.engine.answer = None
                c.ask(BODY)
                (call,) = await w.calls(1)
                c.writer.write_eof()
                await w.until(lambda: call.cancelled)
            await w.until(lambda: not w.gateway._desk.connections)
            assert not w.gateway._desk.receiving_bytes

    asyncio.run(main())


def test_nobody_is_told_to_go_on_before_the_answer_before_it() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.send(request(BODY, extra=b"Expect: 100-continue\r\n") * 2)
            assert (await c.head()).status == 100
            (call,) = await w.calls(1)
            call.say("x")
            call.finish()
            assert (await c.reply()).status == 200
            (*_, second) = await w.calls(2)
            second.finish()
            assert (await c.reply()).status == 200

    asyncio.run(main())


@pytest.mark.parametrize(("read_bytes", "cut"), [(0, True), (1, True), (4096, False)])
def test_a_caller_that_reads_a_byte_at_a_time_does_not_hold_an_answer_for_ever(
    read_bytes: int, cut: bool
) -> None:
    class Slow(Transport):
        unsent = 300_000

        def get_write_buffer_size(self) -> int:
            return self.unsent

    transport = Slow()
    connection = Connection(Desk())
    connection.connection_made(transport)
    connection.pause_writing()
    transport.unsent -= read_bytes
    connection.sweep(Limits().stall_s + 1)
    assert transport.closed == cut

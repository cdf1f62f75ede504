"""What is not the token path goes to control and comes back, whole, streamed or not at all."""

import asyncio
import contextlib
import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import h11
import pytest

from inland.domain.limits import Limits
from inland.gateway.exchange import Exchange, Incoming
from inland.gateway.metrics import Metrics
from inland.gateway.protocol import Connection
from inland.gateway.relay import Passage, Relay
from tests.fuzz.targets import Desk
from tests.hostile import SMUGGLED, wires
from tests.unit.gateway.world import ASK, KEYS, Caller, World, caller, world

OPERATOR = KEYS["operator"].text.encode()
STREAM = json.dumps({"model": "smol", "messages": ASK, "stream": True}).encode()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Of: control\r\nConnection: close\r\n\r\nhello"


@asynccontextmanager
async def control(path: Path, answer: list[bytes], seen: list[bytes]) -> AsyncIterator[None]:
    """A control that says what it is told to, and keeps what it was asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append(head + await reader.readexactly(length))
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            for part in answer:
                writer.write(part)
                await asyncio.sleep(0.01)
        writer.close()

    server = await asyncio.start_unix_server(talk, path)
    async with server:
        yield


@asynccontextmanager
async def relayed(
    tmp_path: Path, *answer: bytes, limits: Limits | None = None
) -> AsyncIterator[tuple[World, Caller, list[bytes]]]:
    seen: list[bytes] = []
    path = tmp_path / "c.sock"
    async with (
        control(path, list(answer), seen),
        world(limits, relay=str(path)) as w,
        caller(w) as c,
    ):
        yield w, c, seen


def test_a_request_is_framed_anew_and_its_answer_comes_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with relayed(tmp_path, WHOLE) as (_, c, seen):
            c.send(
                b"POST /factory/v1/keys?tenant=a HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer %b\r\n"
                b"Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n0\r\n\r\n" % OPERATOR
            )
            got = await c.reply()
            assert (got.status, got.body, got.headers["x-of"]) == (200, b"hello", "control")
            assert seen[0].startswith(b"POST /factory/v1/keys?tenant=a HTTP/1.1\r\n")
            assert seen[0].endswith(b"\r\n\r\nabc")
            assert b"authorization: Bearer " + OPERATOR in seen[0]
            assert b"x-hop" not in seen[0]
            assert b"chunked" not in seen[0]
            c.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await c.reply()).body == b"hello"

    asyncio.run(main())


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/files/file-1/content", "/v1/batches?limit=1", "/v1/fine_tuning/jobs"]
)
def test_what_of_the_dialect_is_no_token_path_goes_to_control(tmp_path: Path, path: str) -> None:
    async def main() -> None:
        async with relayed(tmp_path, WHOLE) as (_, c, seen):
            key = KEYS["demo"].text.encode()
            ask = b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
            c.send(ask % (path.encode(), key))
            assert (await c.reply()).body == b"hello"
            assert seen[0].startswith(b"GET %b HTTP/1.1\r\n" % path.encode())
            c.send(ask % (b"/v1/filesystem", key))
            assert (await c.reply()).status == 404
            assert len(seen) == 1

    asyncio.run(main())


def test_of_the_dialect_all_is_refused_in_its_words(tmp_path: Path) -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            key = KEYS["demo"].text.encode()
            c.send(b"GET /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % key)
            got = await c.reply()
            assert (got.status, got.headers["retry-after"]) == (503, "1")
            assert json.loads(got.body)["error"]["code"] == "unavailable"
            c.send(b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            got = await c.reply()  # a stranger's body is not read
            assert (got.status, json.loads(got.body)["error"]["code"]) == (401, "invalid_api_key")

    asyncio.run(main())


def test_a_streamed_answer_arrives_as_it_comes(tmp_path: Path) -> None:
    async def main() -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with relayed(tmp_path, head, b"2\r\nab\r\n", b"2\r\ncd\r\n0\r\n\r\n") as (_, c, _s):
            c.send(b"GET /factory/v1/records HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await c.head()).headers["transfer-encoding"] == "chunked"
            assert await c.chunk() == b"ab"
            assert await c.chunks() == b"cd"

    asyncio.run(main())


def test_an_answer_cut_short_is_not_made_to_look_whole(tmp_path: Path) -> None:
    async def main() -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with relayed(tmp_path, head, b"2\r\nab\r\n") as (_, c, _s):
            c.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            await c.head()
            assert await c.rest() == b"2\r\nab\r\n"

    asyncio.run(main())


def test_without_control_there_is_503_and_when_to_come_back() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            for _ in range(2):
                c.send(b"GET /factory/v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
                got = await c.reply()
                assert (got.status, got.headers["retry-after"]) == (503, "1")
                assert got.headers["content-type"] == "application/problem+json"

    asyncio.run(main())


def test_head_and_304_have_no_body(tmp_path: Path) -> None:
    async def main() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        async with relayed(tmp_path, head) as (_, c, _s):
            c.send(b"HEAD /ledger/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await c.head()).headers["content-length"] == "5"
        async with relayed(tmp_path, b"HTTP/1.1 304 Not Modified\r\n\r\n") as (_, c, _s):
            c.send(b"GET /ledger/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await c.head()).status == 304

    asyncio.run(main())


def test_a_control_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    async def main() -> None:
        limits = replace(Limits(), relay_s=0.05, drain_s=0.1)
        async with relayed(tmp_path, b"", *[b""] * 100, limits=limits) as (_, c, _s):
            c.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await c.reply()).status == 503

    asyncio.run(main())


def test_waiting_for_control_is_bounded(tmp_path: Path) -> None:
    async def main() -> None:
        limits = replace(Limits(), relayed=1, relay_queue=1, drain_s=0.1)
        async with (
            relayed(tmp_path, b"", *[b""] * 20, WHOLE, limits=limits) as (w, first, _),
            caller(w) as second,
            caller(w) as third,
        ):
            turns = w.gateway._desk._relay._turns
            for c, taken in ((first, (1, 0)), (second, (1, 1)), (third, (1, 1))):
                c.send(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
                await w.until(lambda: (turns._running.total(), turns._count) == taken)  # noqa: B023
            assert (await third.reply()).status == 503
            assert (await first.reply()).status == 200
            assert (await second.reply()).status == 200

    asyncio.run(main())


def test_who_is_turned_away_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = replace(Limits(), control_body_bytes=10)
    relay = Relay("nowhere", limits, Metrics(), lambda _: None)
    ends: list[weakref.ref] = []

    def arrive(passage: Passage) -> bool:
        ends.append(weakref.ref(passage))
        return False

    monkeypatch.setattr(relay._turns, "arrive", arrive)
    gc.disable()
    try:
        incoming = Incoming(b"POST", b"/x", [], None, b"body", keep_alive=False, chunks=True)
        exchange = Exchange(Connection(Desk()), False, False, b"/x", True)
        relay.handle(incoming, exchange, "demo", lambda _: None)
        assert exchange.started
        assert [one() for one in ends] == [None]
    finally:
        gc.enable()


def test_a_caller_that_was_slow_already_fills_no_buffer_of_ours(tmp_path: Path) -> None:
    """The pause comes before there is a connection to control."""

    async def main() -> None:
        limits = replace(Limits(), write_buffer_bytes=1 << 14, drain_s=0.1)
        endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        sent = 0

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(endless)
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while sent < 1000:
                    writer.write(chunk)
                    await writer.drain()
                    sent += 1
            writer.close()

        path = tmp_path / "c.sock"
        server = await asyncio.start_unix_server(talk, path)
        async with server, world(limits, relay=str(path)) as w, caller(w) as c:
            w.engine.answer = None
            c.writer.transport.pause_reading()  # type: ignore[attr-defined]
            c.ask(STREAM)
            (call,) = await w.calls(1)
            c.send(b"GET /export HTTP/1.1\r\nHost: x\r\n\r\n")
            while not call.paused:
                call.say("x" * 65536)
                await asyncio.sleep(0)
            call.finish()
            await asyncio.sleep(0.3)
            assert sent < 100, "it was buffered here"

    asyncio.run(main())


def test_a_strangers_large_body_for_control_is_refused_before_it_is_read() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(b"POST /factory/v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            assert (await c.reply()).status == 401
            assert await c.rest() == b""

    asyncio.run(main())


def test_a_body_that_control_would_not_take_does_not_reach_it(tmp_path: Path) -> None:
    async def main() -> None:
        limits = replace(Limits(), control_body_bytes=10, drain_s=0.1)
        async with relayed(tmp_path, WHOLE, limits=limits) as (_, c, seen):
            c.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world")
            assert (await c.reply()).status == 413
            assert not seen

    asyncio.run(main())


def test_who_sends_a_file_that_is_too_long_is_told_the_other_way_in(tmp_path: Path) -> None:
    ask = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world"

    async def told(limits: Limits, path: bytes) -> str:
        async with relayed(tmp_path, WHOLE, limits=limits) as (_, c, seen):
            c.send(ask % path)
            got = await c.reply()
            assert (got.status, seen) == (413, [])
            return str(json.loads(got.body)["error"]["message"])

    async def main() -> None:
        for bound in ("body_bytes", "control_body_bytes"):
            limits = replace(Limits(), drain_s=0.1, **{bound: 10})
            assert "inland asset add" in await told(limits, b"/v1/files")
            assert "inland asset add" not in await told(limits, b"/v1/batches")

    asyncio.run(main())


@pytest.mark.parametrize("name", wires("smol"))
def test_control_sees_exactly_one_well_framed_request(tmp_path: Path, name: str) -> None:
    """Whatever came, and whatever hides in it: h11 reads what was passed on, and reads it once."""

    async def main() -> None:
        case = wires("smol")[name]
        asked = case.request(OPERATOR).replace(b"/v1/chat/completions", b"/factory/v1/status")
        async with relayed(tmp_path, WHOLE) as (_, c, seen):
            c.send(asked + SMUGGLED)
            got = await c.reply()
            if case.status not in {200, 405}:
                assert got.status == case.status
                assert not seen
                return
            assert got.status == 200
            one = h11.Connection(h11.SERVER)
            one.receive_data(seen[0])
            head = one.next_event()
            assert isinstance(head, h11.Request)
            assert (head.target, head.http_version) == (b"/factory/v1/status", b"1.1")
            lengths = [value for key, value in head.headers if key == b"content-length"]
            assert lengths == [b"%d" % len(case.text)]
            names = {key for key, _ in head.headers}
            assert not names & {b"transfer-encoding", b"upgrade", b"http2-settings", b"te"}
            data = one.next_event()
            assert isinstance(data, h11.Data)
            assert bytes(data.data) == case.text
            assert isinstance(one.next_event(), h11.EndOfMessage)
            assert one.trailing_data[0] == b""

    asyncio.run(main())


def test_a_tenant_whose_exports_never_end_keeps_no_operator_out(tmp_path: Path) -> None:
    slow = b"GET /export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
    quick = slow.replace(b"/export", b"/quick")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /quick"):
                writer.write(WHOLE)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                await reader.read()
        writer.close()

    async def main() -> None:
        path = tmp_path / "c.sock"
        limits = replace(Limits(), drain_s=0.1)
        async with (
            await asyncio.start_unix_server(talk, path),
            world(limits, relay=str(path)) as w,
            contextlib.AsyncExitStack() as stack,
            caller(w) as operator,
            caller(w) as other,
        ):
            exports = [await stack.enter_async_context(caller(w)) for _ in range(40)]
            for one in exports:
                one.send(slow % KEYS["demo"].text.encode())
            began = asyncio.gather(*(one.head() for one in exports[: limits.relayed_per_caller]))
            await began
            for who, key in ((operator, OPERATOR), (other, KEYS["acme"].text.encode())):
                who.send(quick % key)
                assert (await who.reply()).body == b"hello"

    asyncio.run(main())


def test_what_control_refuses_a_known_tenant_is_on_the_books(tmp_path: Path) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        async with relayed(tmp_path, answer) as (w, c, _):
            for key in (KEYS["demo"].text.encode(), b"nobody"):
                for path in (b"/factory/v1/status", b"/ledger/checkpoint"):
                    head = b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
                    c.send(head % (path, key))
                    assert (await c.reply()).status == 403
            w.gateway._flush_refusals()
            (record,) = w.journal.records("refusal")
            facts = [record[name] for name in ("tenant", "route", "status", "code", "count")]
            assert facts == ["demo", "control", 403, "forbidden", 1]

    asyncio.run(main())

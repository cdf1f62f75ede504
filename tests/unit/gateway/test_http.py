"""HTTP on the wire: order, limits, refusals that arrive, and nothing that frames twice."""

import asyncio
import json
from dataclasses import replace

import msgspec
import pytest

from inland.domain.limits import Limits
from inland.gateway.contract import OPERATIONS
from tests.patience import PATIENCE_S
from tests.unit.gateway.world import ASK, KEYS, Caller, World, caller, request, world

BODY = json.dumps({"model": "smol", "messages": ASK}).encode()
STREAM = json.dumps({"model": "smol", "messages": ASK, "stream": True}).encode()


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            models = (
                b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
                % KEYS["demo"].text.encode()
            )
            c.send((request(BODY) + models + request(STREAM)) * 30)
            for _ in range(30):
                assert b'"chat.completion"' in (await c.reply()).body
                assert b'"list"' in (await c.reply()).body
                assert (await c.reply()).body.endswith(b"[DONE]\n\n")

    asyncio.run(main())


def test_byte_by_byte_is_as_good_as_at_once() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            for byte in request(BODY):
                c.send(bytes([byte]))
                await asyncio.sleep(0)
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_a_chunked_request_body_is_read() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            c.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_expect_100_is_answered_before_the_body() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            whole = request(BODY, extra=b"Expect: 100-continue\r\n")
            c.send(whole[: -len(BODY)])
            assert (await c.head()).status == 100
            c.send(BODY)
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_a_strangers_large_body_is_refused_before_it_is_read() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            extra = b"Expect: 100-continue\r\n"
            c.send(request(b"x" * 100_000, "nobody", extra)[:400])
            assert (await c.reply()).status == 401
            assert await c.rest() == b""

    asyncio.run(main())


def test_http_1_0_gets_a_closing_unchunked_answer() -> None:
    async def main() -> None:
        async with world() as w:
            for body in (BODY, STREAM):
                async with caller(w) as c:
                    c.send(request(body).replace(b"HTTP/1.1", b"HTTP/1.0"))
                    got = await c.head()
                    assert got.headers["connection"] == "close"
                    assert "transfer-encoding" not in got.headers
                    assert len(await c.rest()) > 100

    asyncio.run(main())


REFUSED = {
    "two lengths": (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
    "length and chunks": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    "other encoding": (b"Transfer-Encoding: gzip, chunked\r\n", 501),
    "too large": (b"Content-Length: 99999999\r\n", 413),
    "no number": (b"Content-Length: five\r\n", 400),
    "two keys": (b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
    "folded": (b"X-A: b\r\n c\r\n\r\n", 400),
    "space before colon": (b"Host : x\r\n\r\n", 400),
    "many headers": (b"X-A: b\r\n" * 101 + b"\r\n", 431),
    "long header": (b"X-A: " + b"b" * 40_000 + b"\r\n\r\n", 431),
    "endless header": (b"X-A: " + b"b" * 200_000, 431),
}


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_or_oversized_heads_are_refused_and_closed(name: str) -> None:
    async def main() -> None:
        lines, status = REFUSED[name]
        async with world() as w, caller(w) as c:
            c.send(
                b"POST /v1/chat/completions HTTP/1.1\r\n" + lines + b"\r\nGET / HTTP/1.1\r\n\r\n"
            )
            got = await c.reply()
            assert got.status == status, got.body
            assert got.headers["connection"] == "close"
            assert await c.rest() == b""

    asyncio.run(main())


def test_a_body_beyond_the_limit_is_refused_though_it_came_in_chunks() -> None:
    async def main() -> None:
        async with world(replace(Limits(), body_bytes=1000)) as w, caller(w) as c:
            head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            c.send(head + b"258\r\n" + b" " * 600 + b"\r\n" + b"258\r\n" + b" " * 600 + b"\r\n")
            assert (await c.reply()).status == 413
            assert w.gateway._desk.receiving_bytes == 0

    asyncio.run(main())


def test_a_long_target_is_refused() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(b"GET /v1/%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"m" * 9000))
            assert (await c.reply()).status == 414
            assert await c.rest() == b""

    asyncio.run(main())


@pytest.mark.parametrize("target", [b"http://x/v1/models", b"*", b"//x"])
def test_only_paths_are_targets(target: bytes) -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
            assert (await c.reply()).status in {400, 503}

    asyncio.run(main())


def test_methods_are_named_when_wrong() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(b"GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await c.reply()).status == 405

    asyncio.run(main())


async def swept(w: World, c: Caller) -> bytes:
    """What a caller reads once its time is up."""
    w.clock.ahead_s += 80
    return await c.rest()


def test_slow_heads_get_408_and_idle_connections_are_closed() -> None:
    async def main() -> None:
        async with world() as w:
            async with caller(w) as silent:
                await w.until(lambda: w.gateway._desk.connections)
                assert await swept(w, silent) == b""
            async with caller(w) as slow:
                slow.send(b"POST /v1/chat")
                await w.until(lambda: any(c._raw_bytes for c in w.gateway._desk.connections))
                assert (await swept(w, slow)).startswith(b"HTTP/1.1 408")
            async with caller(w) as idle:
                idle.ask(BODY)
                assert (await idle.reply()).status == 200
                assert await swept(w, idle) == b""

    asyncio.run(main())


def test_nobody_is_late_because_the_gateway_was_away() -> None:
    """What a caller sent meanwhile is read first."""

    async def main() -> None:
        async with world() as w, caller(w) as c:
            await w.until(lambda: w.gateway._desk.connections)
            w.clock.ahead_s += 80
            w.gateway._desk.sweep()
            c.ask(BODY)
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_connections_are_bounded() -> None:
    async def main() -> None:
        async with world(replace(Limits(), connections=1)) as w, caller(w) as first:
            first.ask(BODY)
            assert (await first.reply()).status == 200
            async with caller(w) as second:
                assert (await second.reply()).status == 503

    asyncio.run(main())


def test_an_upgrade_is_not_made_and_the_request_is_answered() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            extra = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
            c.ask(BODY, extra=extra)
            assert (await c.reply()).status in {200, 400}
            assert await c.rest() == b""

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/factory/v1/status"])
def test_no_answer_to_head_has_a_body(path: str) -> None:
    """Else its bytes would be read as the answer to the next request."""

    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(b"HEAD %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
            assert (await c.head()).status in {401, 405, 503}
            c.ask(BODY)
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_all_bodies_being_received_are_bounded_though_they_come_in_chunks() -> None:
    async def main() -> None:
        limits = replace(Limits(), bodies_bytes=100_000, drain_s=0.1)
        async with world(limits) as w, caller(w) as first, caller(w) as second:
            head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            for one in (first, second):
                one.send(head + b"%x\r\n%b\r\n" % (60_000, b" " * 60_000))
            done, _ = await asyncio.wait(
                [asyncio.create_task(one.reply()) for one in (first, second)],
                timeout=PATIENCE_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            assert [one.result().status for one in done] == [503]

    asyncio.run(main())


def _get(target: bytes, method: bytes = b"GET", extra: bytes = b"") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method, target, extra)


def test_a_refusal_speaks_the_dialect_of_its_path() -> None:
    async def main() -> None:
        too_long = b"Content-Length: 99999999999\r\n"
        for target, key in ((b"/v1/models", "error"), (b"/factory/v1/status", "detail")):
            async with world() as w, caller(w) as c:
                c.send(_get(target, b"POST", too_long))
                reply = await c.reply()
                assert reply.status == 413
                assert key in json.loads(reply.body)

    asyncio.run(main())


def test_what_is_not_on_the_token_path_is_said_in_its_dialect() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            c.send(_get(b"/v1/nothing"))
            assert json.loads((await c.reply()).body)["error"]["code"] == "unknown_url"
            c.send(_get(b"/v1/chat/completions"))
            reply = await c.reply()
            assert (reply.status, reply.headers["allow"]) == (405, "post")

    asyncio.run(main())


def test_answers_are_what_the_contract_tells() -> None:
    async def main() -> None:
        told = {one.id: one for one in OPERATIONS}["chat.completions"]
        async with world() as w, caller(w) as c:
            c.send(request(BODY))
            msgspec.json.decode((await c.reply()).body, type=told.answer)
            c.send(request(STREAM))
            events = [one for one in (await c.reply()).body.split(b"\n\n") if one[:5] == b"data:"]
            for event in events[:-1]:
                msgspec.json.decode(event[5:], type=told.event)
            assert len(events) > 2

    asyncio.run(main())

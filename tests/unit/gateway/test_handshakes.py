"""TLS on the token path: bounded handshakes, answers that end in TLS, certificates that change."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
import uvloop

from inland.adapters.tls import self_signed
from inland.adapters.tls.served import Served
from inland.domain.limits import Limits
from tests.patience import PATIENCE_S
from tests.unit.gateway.world import ASK, World, caller, request, world

BODY = json.dumps({"model": "smol", "messages": ASK}).encode()
STREAM = json.dumps({"model": "smol", "messages": ASK, "stream": True}).encode()
LIMITS = replace(Limits(), handshakes=3, handshake_s=PATIENCE_S, drain_s=2)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed.keep(cert, key, ("localhost",), int(time()))
    return cert, key


def _trusting(cert: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(cert))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def _over(
    pair: tuple[Path, Path],
    test: Callable[[World, Served], Awaitable[None]],
    limits: Limits = LIMITS,
) -> None:
    """Run a test against a gateway that serves this pair, on the loop that gateways have."""

    async def main() -> None:
        served = Served(*pair)
        async with asyncio.timeout(300), world(limits, tls=lambda: served.context) as w:
            await test(w, served)

    uvloop.run(main())


def _turned_away(w: World) -> dict[str, int]:
    series = w.gateway.metrics()["counters"]["turned_away"]["series"]
    return {labels[0]: count for labels, count in series}


def _shaking(w: World) -> int:
    ((_, count),) = w.gateway.metrics()["gauges"]["handshakes"]["series"]
    return int(count)


def _silent(w: World, source: str = "127.0.0.1") -> socket.socket:
    """A caller that connects and says nothing."""
    return socket.create_connection(("127.0.0.1", w.port), source_address=(source, 0))


def _is_ended(sock: socket.socket) -> bool:
    """Whether the gateway has ended that connection."""
    try:
        return sock.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def _cut(reader: asyncio.StreamReader) -> bytes:
    """What came before the gateway ended the connection, which it must."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_whole_and_streamed_answers_arrive_over_tls(pair: tuple[Path, Path]) -> None:
    async def test(w: World, served: Served) -> None:
        async with caller(w, tls=_trusting(pair[0])) as c:
            c.send((request(BODY) + request(STREAM)) * 10)
            for _ in range(10):
                assert b'"chat.completion"' in (await c.reply()).body
                assert (await c.reply()).body.endswith(b"[DONE]\n\n")
        assert _shaking(w) == 0

    _over(pair, test)


def test_an_answer_that_closes_is_ended_by_tls_and_soon(pair: tuple[Path, Path]) -> None:
    """Without its closing alert a caller could not tell a whole answer from one cut short."""

    def ask(port: int) -> bytes:
        raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        with _trusting(pair[0]).wrap_socket(
            raw, server_hostname="localhost", suppress_ragged_eofs=False
        ) as secured:
            secured.sendall(request(STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"))
            data = b""
            while more := secured.recv(65_536):  # raises where the end is not TLS'
                data += more
            return data

    async def test(w: World, served: Served) -> None:
        data = await asyncio.to_thread(ask, w.port)
        assert data.endswith(b"[DONE]\n\n")
        await w.until(lambda: not w.gateway._desk.connections)

    _over(pair, test)


def test_a_refused_caller_reads_why_over_tls(pair: tuple[Path, Path]) -> None:
    async def test(w: World, served: Served) -> None:
        async with caller(w, tls=_trusting(pair[0])) as c:
            c.send(request(b"x" * 100_000, "nobody"))
            assert (await c.reply()).status == 401
            assert await c.rest() == b""

    _over(pair, test)


def test_who_says_nothing_makes_room_for_who_does(pair: tuple[Path, Path]) -> None:
    async def test(w: World, served: Served) -> None:
        with contextlib.ExitStack() as closing:
            silent = [closing.enter_context(_silent(w)) for _ in range(10)]
            await w.until(lambda: [_is_ended(one) for one in silent] == [True] * 7 + [False] * 3)
            assert _shaking(w) == 3
            async with caller(w, "127.0.0.2", _trusting(pair[0])) as c:
                c.send(request(BODY))
                assert (await c.reply()).status == 200
            # it is a source's own that make room while it has the most of them
            other = closing.enter_context(_silent(w, "127.0.0.2"))
            more = [closing.enter_context(_silent(w)) for _ in range(5)]
            await w.until(lambda: sum(map(_is_ended, more)) == 3)
            assert not _is_ended(other)
            assert _turned_away(w) == {"handshake_failed": 13}
        await w.until(lambda: _shaking(w) == 0)

    _over(pair, test)


def test_a_handshake_has_its_time_and_no_more(pair: tuple[Path, Path]) -> None:
    async def test(w: World, served: Served) -> None:
        with _silent(w) as silent:
            await w.until(lambda: _is_ended(silent))
            await w.until(lambda: _shaking(w) == 0)
        assert _turned_away(w) == {"handshake_failed": 1}
        assert not w.gateway._desk.connections

    _over(pair, test, replace(LIMITS, handshake_s=0.3))


def test_handshakes_count_among_the_connections_of_a_source(pair: tuple[Path, Path]) -> None:
    async def test(w: World, served: Served) -> None:
        async with caller(w, tls=_trusting(pair[0])) as c:
            with _silent(w), _silent(w) as third, _silent(w, "127.0.0.2") as other:
                await w.until(lambda: _is_ended(third))
                assert not _is_ended(other)
            await w.until(lambda: _shaking(w) == 0)
            async with caller(w, tls=_trusting(pair[0])) as again:
                for each in (c, again):
                    each.send(request(BODY))
                    assert (await each.reply()).status == 200
        assert _turned_away(w)["too_many_connections"] == 1

    _over(pair, test, replace(LIMITS, source_connections=2))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_noise_and_old_versions_end_the_handshake_alone(pair: tuple[Path, Path]) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    async def test(w: World, served: Served) -> None:
        hello = b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000
        for noise in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", hello):
            reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
            writer.write(noise)
            assert b"HTTP" not in await _cut(reader)
            writer.close()
        with pytest.raises(OSError, match=r".*"):
            async with caller(w, tls=old):
                pass
        await w.until(lambda: _turned_away(w).get("handshake_failed") == 3)
        async with caller(w, tls=_trusting(pair[0])) as c:
            c.send(request(BODY))
            assert (await c.reply()).status == 200

    _over(pair, test)


@pytest.mark.parametrize(
    ("most", "version"),
    [(ssl.TLSVersion.MAXIMUM_SUPPORTED, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")],
)
def test_the_best_common_version_is_spoken_and_http_1_1_alone(
    pair: tuple[Path, Path], most: ssl.TLSVersion, version: str
) -> None:
    context = _trusting(pair[0])
    context.maximum_version = most
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def test(w: World, served: Served) -> None:
        async with caller(w, tls=context) as c:
            spoken = c.writer.get_extra_info("ssl_object")
            assert (spoken.version(), spoken.selected_alpn_protocol()) == (version, "http/1.1")
            c.send(request(BODY))
            assert (await c.reply()).status == 200

    _over(pair, test)


def test_connections_keep_the_certificate_they_began_with(pair: tuple[Path, Path]) -> None:
    async def test(w: World, served: Served) -> None:
        first = _trusting(pair[0])
        async with caller(w, tls=first) as c:
            for path in pair:
                path.unlink()
            self_signed.keep(*pair, ("localhost",), int(time()))
            served.look(time())
            served.look(time())
            async with caller(w, tls=_trusting(pair[0])) as new:
                for each in (c, new):
                    each.send(request(BODY))
                    assert (await each.reply()).status == 200
            with pytest.raises(ssl.SSLCertVerificationError):
                async with caller(w, tls=first):
                    pass

    _over(pair, test)


def test_a_slow_reader_gets_all_of_an_answer_that_closes(pair: tuple[Path, Path]) -> None:
    words = [f"{'word' * 500}{number} " for number in range(2000)]

    def read(port: int) -> bytes:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", port))
        raw.settimeout(PATIENCE_S)
        with _trusting(pair[0]).wrap_socket(
            raw, server_hostname="localhost", suppress_ragged_eofs=False
        ) as secured:
            secured.sendall(request(BODY, extra=b"Connection: close\r\n"))
            data = b""
            while more := secured.recv(16_384):
                data += more
            return data

    async def test(w: World, served: Served) -> None:
        w.engine.answer = words
        data = await asyncio.to_thread(read, w.port)
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"connection: close" in head.lower()
        assert len(json.loads(body)["choices"][0]["message"]["content"]) == sum(map(len, words))

    _over(pair, test)

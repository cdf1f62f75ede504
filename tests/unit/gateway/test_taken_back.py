"""A key is refused from now on: nothing more leaves of what control answered to it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import time

import pytest
import uvloop

from inland.adapters.tls import self_signed
from inland.adapters.tls.served import Served
from inland.domain.snapshot import Snapshot
from tests.patience import PATIENCE_S
from tests.unit.gateway.world import KEYS, Caller, World, caller, snapshot, world

MIB = 1 << 20
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
RUNNERS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

Talk = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def without(version: int = 2, how: str = "withdrawn") -> Snapshot:
    """What is in force once demo's key is good for nothing."""
    base, mine = snapshot(version), KEYS["demo"].id
    if how == "revoked":
        return replace(base, keys=base.keys | {mine: replace(base.keys[mine], revoked=True)})
    if how == "gone":
        return replace(base, keys={key: one for key, one in base.keys.items() if key != mine})
    demo = replace(base.tenants["demo"], **{how: True})
    return replace(base, tenants=base.tenants | {"demo": demo})


def asking(
    method: bytes = b"GET", path: bytes = b"/v1/files/f/content", key: str = "demo"
) -> bytes:
    text = KEYS[key].text.encode() if key in KEYS else key.encode()
    head = b"%b %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
    return head % (method, path, text)


class Control:
    """One that sends as much as is taken, or what it is told to."""

    def __init__(self) -> None:
        self.asked = self.sent = self.hung_up = 0
        self.may_answer = asyncio.Event()

    async def endless(self, _: bytes, __: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        to.write(ENDLESS)
        try:
            while True:
                to.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await to.drain()
                self.sent += 65536
        except ConnectionError:
            self.hung_up += 1

    async def long(self, _: bytes, __: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        to.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + b"x" * MIB)
        await to.drain()

    async def later(self, _: bytes, __: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        await self.may_answer.wait()
        to.write(DONE)

    async def both(self, head: bytes, a: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        await (self.long if head.startswith(b"GET") else self.later)(head, a, to)


@asynccontextmanager
async def relayed(
    tmp_path: Path, control: Control, talk: Talk, tls: ssl.SSLContext | None = None
) -> AsyncIterator[World]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            control.asked += 1
            await talk(head, reader, writer)
        writer.close()

    path = tmp_path / "c.sock"
    secured = None if tls is None else lambda: tls
    async with (
        await asyncio.start_unix_server(one, path),
        world(relay=str(path), tls=secured) as w,
    ):
        yield w


def stalled(w: World, ask: bytes, tls: ssl.SSLContext | None = None) -> socket.socket:
    """A caller that asks and reads nothing."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", w.port))
    if tls is not None:
        made = tls.wrap_socket(made, server_hostname="localhost", suppress_ragged_eofs=False)
    made.sendall(ask)
    return made


async def until_stuck(control: Control) -> None:
    """All buffers on the way are full."""
    before = -1
    while control.sent != before or not before:
        before = control.sent
        await asyncio.sleep(0.1)


def taken(one: socket.socket) -> int:
    """How much it gets when it reads on, and that it is told so."""
    count = 0
    one.settimeout(PATIENCE_S)
    with one:
        while True:
            try:
                data = one.recv(MIB)
            except (ConnectionResetError, ssl.SSLEOFError):
                return count
            assert data, "it was made to look like an end"
            count += len(data)


@RUNNERS
@pytest.mark.parametrize("how", ["revoked", "suspended", "withdrawn", "gone"])
def test_a_caller_that_stopped_reading_gets_nothing_once_its_key_is_refused(
    tmp_path: Path, how: str, run: Callable
) -> None:
    async def main() -> None:
        control = Control()
        async with relayed(tmp_path, control, control.endless) as w:
            slow = stalled(w, asking())
            await until_stuck(control)
            w.apply(without(how=how))
            await w.until(lambda: control.hung_up)
            await w.until(lambda: not len(w.gateway._desk.connections))
            assert taken(slow) < control.sent / 4

    run(main())


def test_over_tls_it_gets_nothing_either(tmp_path: Path) -> None:
    async def main() -> None:
        control, pair = Control(), (tmp_path / "cert.pem", tmp_path / "key.pem")
        self_signed.keep(*pair, ("localhost",), int(time()))
        trusting = ssl.create_default_context(cafile=str(pair[0]))
        async with relayed(tmp_path, control, control.endless, Served(*pair).context) as w:
            slow = await asyncio.to_thread(stalled, w, asking(), trusting)
            await until_stuck(control)
            w.apply(without())
            await w.until(lambda: control.hung_up)
            await w.until(lambda: not len(w.gateway._desk.connections))
            assert taken(slow) < control.sent / 4

    uvloop.run(main())


@RUNNERS
def test_what_control_sent_whole_and_nobody_read_yet_does_not_leave(
    tmp_path: Path, run: Callable
) -> None:
    async def main() -> None:
        control = Control()
        async with relayed(tmp_path, control, control.long) as w:
            slow = stalled(w, asking())
            relay = w.gateway._desk._relay
            await w.until(lambda: control.asked and not relay._passages)
            w.apply(without())
            await w.until(lambda: not len(w.gateway._desk.connections))
            assert taken(slow) < MIB / 2

    run(main())


def test_whoever_took_its_own_right_away_is_told_and_who_only_asked_is_refused(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        control = Control()
        async with (
            relayed(tmp_path, control, control.later) as w,
            caller(w) as changing,
            caller(w) as reading,
        ):
            changing.send(asking(b"POST", b"/factory/v1/vault/withdraw"))
            reading.send(asking())
            await w.until(lambda: control.asked == 2)
            w.apply(without())
            w.apply(without(3))
            assert (await reading.reply()).status == 403
            control.may_answer.set()
            assert (await changing.reply()).body == b"hello"
            w.apply(without(4))
            changing.send(asking(b"POST", b"/factory/v1/vault/give-back"))
            assert (await changing.reply()).body == b"hello"

    asyncio.run(main())


def test_who_read_all_it_had_asked_for_is_told_on_the_same_connection(tmp_path: Path) -> None:
    async def main() -> None:
        control = Control()
        async with relayed(tmp_path, control, control.both) as w, caller(w) as c:
            c.send(asking())
            assert (await c.reply()).body == b"x" * MIB
            c.send(asking(b"POST", b"/factory/v1/vault/withdraw"))
            await w.until(lambda: control.asked == 2)
            w.apply(without())
            control.may_answer.set()
            assert (await c.reply()).body == b"hello"

    asyncio.run(main())


def test_what_changes_something_is_streamed_no_answer_after_its_key_was_refused(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        control = Control()

        async def talk(
            head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await control.may_answer.wait()
            await control.endless(head, reader, writer)

        async with relayed(tmp_path, control, talk) as w, caller(w) as c:
            c.send(asking(b"POST"))
            await w.until(lambda: control.asked)
            w.apply(without())
            control.may_answer.set()
            assert (await c.reply()).status == 403

    asyncio.run(main())


@pytest.mark.parametrize("key", ["operator", "acme", "nobody"])
def test_nobody_elses_answer_is_cut(tmp_path: Path, key: str) -> None:
    async def main() -> None:
        control = Control()
        async with relayed(tmp_path, control, control.endless) as w, caller(w) as c:
            c.send(asking(key=key))
            await c.head()
            w.apply(without())
            await _goes_on(c)

    asyncio.run(main())


def test_a_key_that_was_refused_before_is_controls_to_judge(tmp_path: Path) -> None:
    async def main() -> None:
        control = Control()
        async with relayed(tmp_path, control, control.endless) as w, caller(w) as c:
            w.apply(without())
            c.send(asking(b"POST", b"/factory/v1/vault/give-back"))
            await c.head()
            w.apply(without(3))
            await _goes_on(c)

    asyncio.run(main())


async def _goes_on(c: Caller) -> None:
    for _ in range(200):
        assert await c.chunk()

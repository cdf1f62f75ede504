"""A socket's file keeps nobody of its user out: who was shut in is known by its network, where no
filter kept it from dialling."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import uvloop

from inland.adapters.feed.frames import Ask, to_frame
from inland.adapters.feed.server import FeedServer
from inland.adapters.files.clock import SystemClock
from inland.adapters.isolation.peers import is_shut_in
from inland.adapters.isolation.shut_in import NONE, UNFILTERED, available
from inland.adapters.processes.supervisor_socket import SupervisorSocket
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.own_callers import OwnCaller

_CHILD = """
import os, socket, sys
from pathlib import Path
from inland.adapters.isolation.shut_in import shut_in
isolation, path = sys.argv[1:]
shut_in(isolation, (), Path(path).parent)
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(90)
    peer.connect(path)
    try:
        peer.sendall(bytes.fromhex(sys.stdin.read()))
        print(len(peer.recv(100_000)))
    except ConnectionError:
        print(0)
"""


def _received(isolation: str, path: Path, asks: bytes) -> int:
    """How much a child held to `isolation` got for what it asks at `path`."""
    argv = [sys.executable, "-c", _CHILD, isolation, str(path)]
    done = subprocess.run(
        argv, input=asks.hex(), capture_output=True, text=True, timeout=300, check=True
    )
    return int(done.stdout)


def test_a_child_that_was_shut_in_is_told_no_secret(tmp_path: Path) -> None:
    if available() == NONE:
        pytest.skip("this kernel has no Landlock or no network namespaces")
    path = tmp_path / "feed.sock"
    feed = FeedServer(path, SystemClock(), set)
    feed.start()
    try:
        snapshot = Snapshot(1, "factory", "", "", {}, {}, {}, {}, {})
        feed.publish(snapshot, Secrets({"acme": b"s" * 32}, {}))
        asks = to_frame(Ask(1, "gateway-0", os.getpid(), "w", 0))
        assert _received(NONE, path, asks) > 100
        assert _received(UNFILTERED, path, asks) == 0
    finally:
        feed.close()


class _Stoppable:
    """A supervisor that only notes that it was told to stop."""

    stopped = 0

    def stop(self) -> None:
        self.stopped += 1


def test_a_child_that_was_shut_in_orders_no_processes(tmp_path: Path) -> None:
    if available() == NONE:
        pytest.skip("this kernel has no Landlock or no network namespaces")

    async def main() -> None:
        path, supervisor = tmp_path / "supervisor.sock", _Stoppable()
        async with SupervisorSocket(path, supervisor):
            asks = b'{"op": "stop"}\n'
            assert await asyncio.to_thread(_received, UNFILTERED, path, asks) == 0
            assert supervisor.stopped == 0
            assert await asyncio.to_thread(_received, NONE, path, asks) > 0
            assert supervisor.stopped == 1

    asyncio.run(main())


def test_we_are_not_shut_in_from_ourselves() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not is_shut_in(one)


class _Told(asyncio.Protocol):
    """Says more than nothing to whoever asks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"told")
        self._transport.close()


def test_a_child_that_was_shut_in_asks_a_gateway_for_no_tokens(tmp_path: Path) -> None:
    if available() == NONE:
        pytest.skip("this kernel has no Landlock or no network namespaces")

    async def main() -> None:
        path, loop = tmp_path / "tokens.sock", asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: OwnCaller(_Told, is_shut_in), path)
        async with server:
            assert await asyncio.to_thread(_received, NONE, path, b"?") == 4
            assert await asyncio.to_thread(_received, UNFILTERED, path, b"?") == 0

    uvloop.run(main())

"""A socket's file keeps nobody of its user out: who was shut in is known by its network."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inland.adapters.feed.frames import Ask, to_frame
from inland.adapters.feed.server import FeedServer
from inland.adapters.files.clock import SystemClock
from inland.adapters.isolation.peers import is_shut_in
from inland.adapters.isolation.shut_in import KERNEL, NONE, available
from inland.domain.snapshot import Secrets, Snapshot

_CHILD = """
import os, socket, sys
from pathlib import Path
from inland.adapters.isolation.shut_in import shut_in
isolation, path = sys.argv[1:]
shut_in(isolation, (), Path(path).parent)
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(10)
    peer.connect(path)
    try:
        peer.sendall(bytes.fromhex(sys.stdin.read()))
        print(len(peer.recv(100_000)))
    except ConnectionError:
        print(0)
"""


def _received(isolation: str, path: Path) -> int:
    """How much a child held to `isolation` got for asking for a snapshot."""
    asks = to_frame(Ask(1, "gateway-0", os.getpid(), "w", 0)).hex()
    argv = [sys.executable, "-c", _CHILD, isolation, str(path)]
    done = subprocess.run(argv, input=asks, capture_output=True, text=True, timeout=30, check=True)
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
        assert _received(NONE, path) > 100
        assert _received(KERNEL, path) == 0
    finally:
        feed.close()


def test_we_are_not_shut_in_from_ourselves() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not is_shut_in(one)

"""Load for the gateway bench: `wrk` for rates, and an open-loop sender for latency.

Rates: connections that each ask again as soon as they are answered. Latency: requests leave on a
fixed timetable whatever the server does, and are timed from when they were due, so a stall counts
against everyone it held up (no coordinated omission).
"""

import json
import math
import os
import select
import socket
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import httptools

from bench.serve import Target, environment, pinned

HERE = Path(__file__).parent
#: Of the open loop.
CONNECTIONS = 32
RECEIVE_BYTES = 1 << 16
HTTP_OK = 200
#: The longest one wait may take before the bench calls the server stuck.
STALL_S = 10


@dataclass(frozen=True)
class Rate:
    """What `wrk` saw: requests per second, and how many of all failed."""

    rps: float
    requests: int
    failures: int
    p50_us: int
    p99_us: int


def rate(core: int, target: Target, seconds: int, connections: int) -> Rate:
    """Requests/s of `target` under that many keep-alive connections for `seconds`."""
    timing = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s"]
    argv = pinned(core, "wrk", *timing, "-s", str(HERE / "wrk.lua"), target.url)
    env = environment(HERE, BENCH_KEY=target.key, BENCH_BODY=target.body.decode())
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout
    told = json.loads(said.splitlines()[-1])
    rps = told["requests"] / (told["duration_us"] / 1e6)
    return Rate(rps, told["requests"], told["failures"], told["p50_us"], told["p99_us"])


class _Connection:
    """One keep-alive connection: at most one request in flight, timed from when it was due."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=STALL_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parser = httptools.HttpResponseParser(self)
        self.due = 0.0
        self.whole = False

    def fileno(self) -> int:
        return self.socket.fileno()

    def ask(self, request: bytes, due: float) -> None:
        """Send the request that was due at `due`, monotonic seconds."""
        self.due = due
        self.socket.sendall(request)

    def on_message_complete(self) -> None:
        self.whole = True

    def answered(self) -> bool:
        """Read what came; whether that ends an answer. Any answer but 200 ends the bench."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise SystemExit("the server closed a connection")
        self.parser.feed_data(data)
        if not self.whole:
            return False
        if self.parser.get_status_code() != HTTP_OK:
            raise SystemExit(f"a request failed with {self.parser.get_status_code()}")
        self.parser, self.whole = httptools.HttpResponseParser(self), False
        return True


def _request(target: Target) -> bytes:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\n"
    head += f"authorization: Bearer {target.key}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(target.body)}\r\n\r\n".encode() + target.body


def _send_on_timetable(target: Target, rps: float, seconds: float) -> list[float]:
    """Seconds from due to answered, of each. What finds no idle connection waits its turn.

    Connections take turns, so that none is idle for long. Waits on one epoll through `select`,
    whose timeout knows microseconds; epoll's own does not.
    """
    request = _request(target)
    connections = {c.fileno(): c for c in (_Connection(target.port) for _ in range(CONNECTIONS))}
    taken: list[float] = []
    idle, sent, total = deque(connections.values()), 0, int(rps * seconds)
    with select.epoll() as poll:
        for number in connections:
            poll.register(number, select.EPOLLIN)
        start = time.monotonic()
        while len(taken) < total:
            now = time.monotonic()
            while idle and sent < total and start + sent / rps <= now:
                idle.popleft().ask(request, start + sent / rps)
                sent += 1
            until_due = start + sent / rps - now if idle and sent < total else STALL_S
            select.select([poll], [], [], max(0.0, until_due))
            for number, _ in poll.poll(0):
                if connections[number].answered():
                    taken.append(time.monotonic() - connections[number].due)
                    idle.append(connections[number])
    for connection in connections.values():
        connection.socket.close()
    return taken


@dataclass(frozen=True)
class Latency:
    """Percentiles in microseconds at a fixed rate."""

    p50_us: float
    p99_us: float


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all are at or below (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def latency(core: int, target: Target, rps: float, seconds: float) -> Latency:
    """Latency of `target` at `rps`, sent from `core`; the first tenth only warms."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        taken = _send_on_timetable(target, rps, seconds)
    finally:
        os.sched_setaffinity(0, before)
    kept = taken[len(taken) // 10 :]
    return Latency(percentile(kept, 0.5) * 1e6, percentile(kept, 0.99) * 1e6)

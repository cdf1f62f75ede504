"""The gateway's memory: over a million requests, and beside ten thousand callers that hardly read.

First `wrk` asks until a million answers came, and the gateway's resident memory is read as it goes.
Then callers ask for a stream and read one byte of it a second, while another tenant asks as before:
when the gateway had let go of the last of them (what the kernel still has for a caller then is the
kernel's), what they held, and what they cost the other. Prints one JSON line.
"""

import argparse
import json
import os
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import load, serve

#: Connections of the first part, and how long each of its steps takes.
WIDTH, STEP_S = 256, 10
#: Tokens of a slow caller's stream, one an event: some hundred bytes each.
TOKENS = 400
#: Of their own sockets: what a caller that reads slowly has the kernel take for it.
RECEIVE_BYTES = 4096
#: Source addresses, so that no pair of addresses runs out of ports.
SOURCES = 100
#: Slow callers that connect at once; then what they sent is looked at.
BURST = 100
#: What the other tenant asks, a second, and for how long it is looked at before and beside.
OTHERS_RPS, OTHERS_S = 100.0, 20.0
#: The longest a slow caller may be borne: queue, stall and idle limits, with their sweeps.
PATIENCE_S = 300.0
_SPARE_FILES = 1024
#: A connection's state in the kernel's list.
_ESTABLISHED = "01"
_MIB = 1024.0


def rss_mib(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / _MIB, 1)
    raise SystemExit(f"process {pid} is gone")


def gateway_pid(factory: serve.Factory) -> int:
    """The one gateway's process."""
    told = json.loads(factory.run("status", "--json"))["processes"]
    (pid,) = [one["pid"] for one in told if one["name"].startswith("gateway")]
    return int(pid)


def over_many(factory: serve.Factory, pid: int, requests: int, core: int) -> dict[str, Any]:
    """Memory after each step until so many requests were answered; the first step only warms."""
    load.rate(core, factory.target, STEP_S, WIDTH)
    seen, done = [rss_mib(pid)], 0
    while done < requests:
        step = load.rate(core, factory.target, STEP_S, WIDTH)
        if step.failures:
            raise SystemExit(f"{step.failures} requests failed")
        done += step.requests
        seen.append(rss_mib(pid))
        print(f"# {done} requests: {seen[-1]} MiB", flush=True)
    quarter = max(1, len(seen) // 4)
    first, last = sum(seen[:quarter]) / quarter, sum(seen[-quarter:]) / quarter
    return {
        "requests": done,
        "mib": seen,
        "first_quarter_mib": round(first, 1),
        "last_quarter_mib": round(last, 1),
        "bytes_a_request": round((last - first) * _MIB * _MIB / (0.75 * done), 2),
    }


def borne(port: int) -> int:
    """Connections that the gateway has, but those from 127.0.0.1: what it let go of is not one."""
    here, others = f"0100007F:{port:04X}", 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        others += local == here and state == _ESTABLISHED and not remote.startswith("0100007F")
    return others


class SlowReaders:
    """Callers that ask for a stream and read a byte of it each second."""

    def __init__(self, target: serve.Target, count: int) -> None:
        body = json.dumps(
            {
                "model": target.model,
                "messages": [{"role": "user", "content": "Tell of a harbour."}],
                "max_tokens": TOKENS,
                "stream": True,
            }
        ).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\n"
        head += f"authorization: Bearer {target.key}\r\ncontent-type: application/json\r\n"
        self._request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        self._port, self._count = target.port, count
        self._open: list[socket.socket] = []
        self._read: dict[int, bytes] = {}

    def connect(self) -> None:
        """All of them, in bursts."""
        for number in range(self._count):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            one.bind((f"127.0.0.{2 + number % SOURCES}", 0))
            one.settimeout(10)
            one.connect(("127.0.0.1", self._port))
            one.sendall(self._request)
            one.settimeout(0)
            self._open.append(one)
            if number % BURST == BURST - 1:
                time.sleep(0.05)

    def read(self) -> None:
        """A byte of each that has one."""
        for one in self._open:
            with suppress(BlockingIOError, ConnectionError):
                self._read[one.fileno()] = self._read.get(one.fileno(), b"") + one.recv(1)

    def statuses(self) -> dict[str, int]:
        """How many were answered with what, of those who read as far as that."""
        return dict(Counter(read[9:12].decode("latin-1") for read in self._read.values()))

    def close(self) -> None:
        """All of them."""
        for one in self._open:
            one.close()


def beside_readers(
    factory: serve.Factory, pid: int, slow: serve.Target, count: int, core: int
) -> dict[str, Any]:
    """What `count` slow readers hold, how long they last, and what they cost another tenant."""
    before_mib = rss_mib(pid)
    alone = load.latency(core, factory.target, OTHERS_RPS, OTHERS_S)
    readers = SlowReaders(slow, count)
    peak, latencies = before_mib, []

    def others() -> None:
        latencies.append(load.latency(core, factory.target, OTHERS_RPS, OTHERS_S))

    start = time.monotonic()
    readers.connect()
    asking = threading.Thread(target=others)
    asking.start()
    left, lasted = count, 0.0
    while left and lasted < PATIENCE_S:
        began = time.monotonic()
        readers.read()
        peak, left = max(peak, rss_mib(pid)), borne(slow.port)
        select.select([], [], [], max(0.0, 1 - (time.monotonic() - began)))
        lasted = time.monotonic() - start
    asking.join()
    statuses = readers.statuses()
    readers.close()
    return {
        "readers": count,
        "by_status": statuses,
        "still_borne": left,
        "all_let_go_after_s": round(lasted, 1),
        "before_mib": before_mib,
        "peak_mib": peak,
        "after_mib": rss_mib(pid),
        "others_p50_us": {"alone": round(alone.p50_us), "beside": round(latencies[0].p50_us)},
        "others_p99_us": {"alone": round(alone.p99_us), "beside": round(latencies[0].p99_us)},
    }


def streaming(stack: ExitStack, core: int, folder: Path) -> int:
    """The port of an upstream that streams as fast as it is read."""
    port = serve.free_port()
    argv = [sys.executable, "-m", "bench.upstream", "--port", str(port), "--tokens", str(TOKENS)]
    log = stack.enter_context((folder / "streaming.log").open("wb"))
    child = subprocess.Popen(
        serve.pinned(core, *argv), stdout=log, stderr=log, cwd=serve.HERE.parent
    )
    stack.callback(child.wait)
    stack.callback(child.terminate)
    return port


def slow_target(factory: serve.Factory, port: int) -> serve.Target:
    """Another tenant, and a deployment that streams."""
    url = f"http://127.0.0.1:{port}/v1"
    declared = ["--engine", "openai", "--url", url, "--upstream-model", "m"]
    where = ["--jurisdiction", "ZZ", "--permit-endpoint", "--slots", "256"]
    factory.run("deploy", "add", "streaming", *declared, *where)
    factory.run("tenant", "add", "slow")
    told = json.loads(factory.run("key", "add", "--tenant", "slow", "--json"))
    return replace(factory.target, name="slow", key=told["key"], model="streaming")


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    words = parser.parse_args()
    serve.demand_programs()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, words.readers + _SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    os.sched_setaffinity(0, {words.load_core})
    room = words.readers + 2 * WIDTH
    limits = {"connections": room, "connections_per_tenant": room, "queue": words.readers}
    limits["queue_total"] = words.readers
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        upstream = stack.enter_context(serve.upstream(words.load_core, folder))
        port = streaming(stack, words.load_core, folder)
        running = serve.inland(words.server_core, folder, upstream, **limits)
        factory = stack.enter_context(running)
        slow, pid = slow_target(factory, port), gateway_pid(factory)
        figures["slow_readers"] = beside_readers(factory, pid, slow, words.readers, words.load_core)
        print(f"# {json.dumps(figures)}", flush=True)
        figures["many_requests"] = over_many(factory, pid, words.requests, words.load_core)
    print(json.dumps({"bench": "memory", "limits": limits, **figures}))


if __name__ == "__main__":
    main()

"""The token path alone, for profiling: one gateway on one core, a real journal, everything on.

The stand-in upstream and the load (wrk) share the other core. `make bench-gateway` is the figure
that counts; this one says where the time goes. Prints one JSON line.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import uvloop

from inland.adapters.egress.door import Door
from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.files.journal import JournalWriter
from inland.adapters.openai.client import OpenAI
from inland.decide.rulebook import Verdict
from inland.domain.api_keys import new_api_key
from inland.domain.capabilities import OF_UPSTREAM
from inland.domain.ids import WriterId
from inland.domain.labels import Label, public_label
from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.domain.plant import (
    Deployment,
    EngineKind,
    Key,
    Model,
    Replica,
    ReplicaState,
    Role,
    Tenant,
)
from inland.domain.releases import Serving
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.gateway import Gateway

KEY = new_api_key(b"k" * 40)
HERE = Place("here", "ZZ", "ZZ")


class Allow:
    """Every ruling is made once and kept, so what makes it does not matter here."""

    def decide_serve(self, key_id: str, deployment: str, /) -> Verdict:
        return Verdict(allowed=True, visible=True, rules=("bench",), remedy="", places=("here",))

    def decide_release(self, key_id: str, serving: Serving, /) -> Verdict:
        return self.decide_serve(key_id, serving.deployment)


def snapshot(url: str) -> Snapshot:
    """One tenant, one key, one deployment at `url`."""
    deployment = Deployment(
        "bench",
        EngineKind.OPENAI,
        "m",
        HERE,
        slots=256,
        url=url,
        upstream_model="up",
        supports=OF_UPSTREAM,
    )
    return Snapshot(
        1,
        "bench",
        "sha256:" + "0" * 64,
        "",
        {"demo": Tenant("demo", Label("demo", ("ZZ",)))},
        {KEY.id: Key(KEY.id, "demo", Role.MEMBER, KEY.secret_sha256)},
        {"m": Model("m", public_label(), ("*",), None)},
        {"bench": deployment},
        {"bench-0": Replica("bench-0", "bench", ReplicaState.READY, url, HERE)},
    )


async def serve(port: int, upstream: int, home: Path) -> None:
    """Run the gateway until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    files = Disk(home)
    files.make_dir("journal")
    journal = JournalWriter(files, WriterId(uuid4().hex), loop, lambda why: os._exit(1))
    door = Door(lambda host, port, inside: ("bench",), why="bench")
    gateway = Gateway(
        Limits(),
        SystemClock(),
        SystemEntropy(),
        journal,
        lambda snapshot: Allow(),
        {EngineKind.OPENAI: OpenAI(door)},
        str(home / "control.sock"),
        "bench",
        lambda: True,
    )
    gateway.apply(snapshot(f"http://127.0.0.1:{upstream}/v1"), Secrets({"demo": b"k" * 32}, {}))
    listening = socket.create_server(("127.0.0.1", port), backlog=1024)
    await gateway.serve([listening], stop)
    journal.stop()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def script(folder: Path, *, stream: bool) -> Path:
    """What wrk sends."""
    ask = [{"role": "user", "content": "How is the harbour this morning?"}]
    body = json.dumps({"model": "bench", "messages": ask, "max_tokens": 64, "stream": stream})
    text = (
        f'wrk.method="POST"\nwrk.body={json.dumps(body)}\n'
        f'wrk.headers["authorization"]="Bearer {KEY.text}"\n'
        'wrk.headers["content-type"]="application/json"\n'
    )
    path = folder / "ask.lua"
    path.write_text(text)
    return path


def wait_for(port: int) -> None:
    """Until something listens."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit("nothing listens")


def cpu_s(pid: int) -> float:
    """Processor seconds the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(given: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Start both, load them, and read wrk's figures."""
    port, upstream = free_port(), free_port()
    here = Path(__file__)
    up = ["taskset", "-c", "1", sys.executable, str(here.with_name("upstream.py"))]
    gate = ["taskset", "-c", "0", sys.executable, str(here), "--serve", str(port), str(upstream)]
    children = [
        subprocess.Popen([*up, "--port", str(upstream)]),
        subprocess.Popen([*gate, "--home", str(folder)]),
    ]
    try:
        wait_for(upstream)
        wait_for(port)
        if given.profile:
            spy = [
                "py-spy",
                "record",
                "-d",
                str(given.seconds),
                "-f",
                "raw",
                "--gil",
                "-o",
                given.profile,
            ]
            children.append(subprocess.Popen([*spy, "-p", str(children[1].pid), "-r", "200"]))
        load = ["taskset", "-c", "1", "wrk", "-t1", f"-c{given.connections}", "--latency"]
        load += [f"-d{given.seconds}s", "-s", str(script(folder, stream=given.stream))]
        before_s = cpu_s(children[1].pid)
        said = subprocess.run(
            [*load, f"http://127.0.0.1:{port}/v1/chat/completions"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        used_s = cpu_s(children[1].pid) - before_s
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    assert "Non-2xx" not in said, said
    latency = dict(re.findall(r"(50|99)%\s+([\d.]+\w+)", said))
    requests = re.search(r"(\d+) requests in", said)
    assert requests is not None, said
    return {
        "bench": "token_path",
        "rps": float(rate.group(1)),
        "latency": latency,
        "gateway_cpu_us_per_request": round(used_s * 1e6 / int(requests.group(1)), 1),
        "gateway_cpu_share": round(used_s / given.seconds, 2),
    }


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=2, type=int, metavar=("PORT", "UPSTREAM"))
    parser.add_argument("--home", type=Path)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--profile", help="a file for py-spy's raw stacks")
    given = parser.parse_args()
    if given.serve:
        port, upstream = given.serve
        uvloop.run(serve(port, upstream, given.home))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(given, Path(folder))))


if __name__ == "__main__":
    main()

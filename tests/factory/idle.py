"""Many callers that say nothing, against a whole factory: what they cost, and whom they harm."""

import json
import resource
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.factory.running import Running
from tests.patience import PATIENCE_S

#: Source addresses, so that no pair of addresses runs out of ports.
SOURCES = 100
#: Open files beside the connections.
_SPARE_FILES = 512
_MIB = 1024.0


@dataclass(frozen=True)
class Held:
    """`asked` connections, of which `held` stayed open and `refused` were told why not."""

    asked: int
    held: int
    refused: int
    cut: int
    before_mib: float
    during_mib: float
    after_mib: float
    served: int
    slowest_ms: float

    @property
    def bytes_each(self) -> int:
        """Of the gateway's memory, per connection held."""
        return int((self.during_mib - self.before_mib) * _MIB * _MIB / max(1, self.held))


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / _MIB, 1)
    raise AssertionError(f"no memory of process {pid}")


def hold(factory: Running, count: int, asks: int = 5) -> Held:
    """Open `count` idle connections; ask beside them; close them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + _SPARE_FILES)), hard))
    pid = factory.pid("gateway")
    with factory.http("demo") as http:
        assert http.get("/v1/models").status_code == 200
        before = rss_mib(pid)
        with ExitStack() as stack:
            idle = [_connect(factory.port, number, stack) for number in range(count)]
            _demand_taken(factory.port)
            ends = [_end(one) for one in idle]
            during = rss_mib(pid)
            took = [_ask(http) for _ in range(asks)]
        time.sleep(1)
        after = rss_mib(pid)
    return Held(
        count,
        ends.count("open"),
        ends.count("refused"),
        ends.count("cut"),
        before,
        during,
        after,
        len(took),
        round(max(took) * 1000, 1),
    )


def _connect(port: int, number: int, stack: ExitStack) -> socket.socket:
    one = stack.enter_context(socket.socket())
    one.bind((f"127.0.0.{2 + number % SOURCES}", 0))
    one.settimeout(PATIENCE_S)
    one.connect(("127.0.0.1", port))
    return one


def _demand_taken(port: int) -> None:
    """Wait until all that connected before has been taken, and told so where it was refused: a
    gateway takes callers in the order in which they came."""
    last = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    with last, suppress(ConnectionError):
        last.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        last.recv(1)


def _end(one: socket.socket) -> str:
    one.setblocking(False)
    try:
        data = one.recv(4096)
    except BlockingIOError:
        return "open"
    except ConnectionError:
        return "cut"
    if data.startswith(b"HTTP/1.1 408"):
        return "open"  # for as long as one may say nothing, which was over before all had come
    return "refused" if data.startswith(b"HTTP/1.1 503") else "cut"


def _ask(http) -> float:
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 2,
    }
    began = time.monotonic()
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - began


def soak(seed: int, folder: Path) -> int:
    """10,000 connections held by a factory that is allowed to."""
    factory = Running(folder / "home")
    factory.make(connections=12_000, header_s=300)
    factory.up()
    try:
        told = hold(factory, 10_000)
    finally:
        factory.run("down", check=False)
    holds = told.held == told.asked
    figure = {"soak": "idle", "seed": seed, "holds": holds, **asdict(told)}
    print(json.dumps(figure | {"bytes_each": told.bytes_each}))
    return int(not holds)

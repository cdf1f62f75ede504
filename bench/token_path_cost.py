"""What the token path's Python costs: microseconds a request and an event, with no kernel in it.

In one process, deterministic: the gateway's own connections and its client of an upstream are
handed canned bytes, and a journal in memory commits each batch. What it leaves out (sockets, sync,
threads) does not change with our code, so two revisions compare on a busy machine. One JSON line.
"""

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from bench import upstream
from bench.token_path import KEY, Allow, snapshot
from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.openai.client import OpenAI
from inland.domain.limits import Limits
from inland.domain.plant import EngineKind
from inland.domain.snapshot import Secrets
from inland.gateway.gateway import Gateway
from inland.gateway.protocol import Connection
from inland.ledger.frames import FrameKind, write

WHOLE = b"HTTP/1.1 200 OK\r\n"
STREAM = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.write = self.sent.append
        self.writelines = self.sent.extend

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else default

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return True

    def _ignore(self, *args: object, **named: object) -> None:
        """Nothing here is slow, and nobody closes."""

    set_write_buffer_limits = pause_reading = resume_reading = _ignore
    close = abort = write_eof = _ignore


class Upstreams:
    """A door that leads to wires in this process."""

    def __init__(self) -> None:
        self.made: list[tuple[Wire, Any]] = []

    async def open(self, to: object, protocol: Callable[[], Any]) -> tuple[Wire, Any]:
        wire, made = Wire(), protocol()
        made.connection_made(wire)
        self.made.append((wire, made))
        return wire, made

    def allows(self, to: object, transport: object) -> bool:
        return True


class Memory:
    """A journal: frames are written as on a disk, and durable when the bench says so."""

    def __init__(self) -> None:
        self._frames: list[tuple[int, bytes]] = []
        self._calls: list[Callable[[], None]] = []
        self.records = 0
        self.bytes = 0

    def append(self, kind: FrameKind, payload: bytes, done: Callable[[], None]) -> None:
        self._frames.append((kind, payload))
        self._calls.append(done)
        self.records += kind is FrameKind.RECORD

    def healthy(self) -> bool:
        return True

    def commit(self) -> None:
        frames, self._frames = self._frames, []
        calls, self._calls = self._calls, []
        self.bytes += len(write(frames, self.bytes))
        for call in calls:
            call()


def ask(*, stream: bool) -> bytes:
    """A request as the official client writes it."""
    system = {"role": "system", "content": "You answer briefly, for a plant's operators."}
    said = {"role": "user", "content": "What does a pump do?"}
    asked: dict[str, Any] = {"model": "bench", "messages": [system, said], "max_tokens": 128}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    body = json.dumps(asked, separators=(",", ":")).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8790\r\nAccept-Encoding: gzip\r\n"
        "Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        f"User-Agent: bench\r\nAuthorization: Bearer {KEY.text}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answers(given: argparse.Namespace) -> list[bytes]:
    """What each read from the upstream brings."""
    if not given.stream:
        return [upstream.whole()]
    events = upstream.events(given.tokens)
    each = given.events_per_read
    reads = [b"".join(events[at : at + each]) for at in range(0, len(events), each)]
    return [WHOLE + STREAM, *reads]


class Path:
    """One gateway, its callers and its upstream."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._door, self._journal = Upstreams(), Memory()
        engine = OpenAI(self._door)  # type: ignore[arg-type]
        self._gateway = Gateway(
            Limits(),
            SystemClock(),
            SystemEntropy(),
            self._journal,
            lambda snapshot: Allow(),
            {EngineKind.OPENAI: engine},
            "nowhere",
            "bench",
            lambda: True,
        )
        self._gateway.apply(snapshot("http://127.0.0.1:1/v1"), Secrets({"demo": b"k" * 32}, {}))
        self._callers: list[tuple[Wire, Connection]] = []
        for _ in range(given.callers):
            wire, made = Wire(), Connection(self._gateway._desk)  # noqa: SLF001 - its socket side
            made.connection_made(wire)  # type: ignore[arg-type]
            self._callers.append((wire, made))
        self._asked, self._answers = ask(stream=given.stream), answers(given)
        self._end = b"data: [DONE]\n\n\r\n0\r\n\r\n" if given.stream else b"}}}"

    async def warm(self) -> None:
        """Connect upstream: the only step that needs the loop."""
        for _, caller in self._callers:
            caller.data_received(self._asked)
        while len(self._door.made) < len(self._callers):  # noqa: ASYNC110 - a step of the loop
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._answer()

    def run(self, rounds: int) -> None:
        """`rounds` requests of every caller."""
        asked = self._asked
        for _ in range(rounds):
            for _, caller in self._callers:
                caller.data_received(asked)
            self._answer()

    def _answer(self) -> None:
        engines = [made for _, made in self._door.made]
        self._journal.commit()  # openings
        for data in self._answers:
            for engine in engines:
                engine.data_received(data)
        self._journal.commit()
        for wire, _ in self._callers:
            assert wire.sent[0].startswith(b"HTTP/1.1 200 OK\r\n"), wire.sent
            assert wire.sent[-1].endswith(self._end), wire.sent
            wire.sent.clear()
        for wire, _ in self._door.made:
            wire.sent.clear()

    @property
    def records(self) -> int:
        """How many requests are on the books."""
        return self._journal.records


def calls_of(path: Path, rounds: int, requests: int) -> dict[str, Any]:
    """Calls a request makes: of Python's functions by name, and of C's in all."""
    python: Counter[str] = Counter()
    of_c = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal of_c
        if event == "call":
            python[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            of_c += 1

    sys.setprofile(note)
    path.run(rounds)
    sys.setprofile(None)
    named = {name: round(calls / requests, 2) for name, calls in python.most_common()}
    each = round(sum(python.values()) / requests, 1)
    return {"python_calls": each, "c_calls": round(of_c / requests, 1), "by_name": named}


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    """The best of several rounds: what else runs on the machine only ever adds."""
    path = Path(given)
    await path.warm()
    rounds = max(1, given.requests // given.callers)
    requests = rounds * given.callers
    path.run(max(1, rounds // 10))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    taken: list[float] = []
    for _ in range(given.repeats):
        start = time.process_time()
        path.run(rounds)
        taken.append((time.process_time() - start) / requests * 1e6)
    assert path.records == sum((1, max(1, rounds // 10), given.repeats * rounds)) * given.callers
    figures: dict[str, Any] = {
        "bench": "token_path_cost",
        "stream": given.stream,
        "requests": requests * given.repeats,
        "us_per_request": round(min(taken), 2),
        "us_per_request_median": round(sorted(taken)[len(taken) // 2], 2),
    }
    if given.stream:
        figures |= {"tokens": given.tokens, "events_per_read": given.events_per_read}
        figures["us_per_event"] = round(min(taken) / (given.tokens + 1), 3)
    if given.calls:
        figures |= calls_of(path, 10, 10 * given.callers)
    if given.profile:
        spy = cProfile.Profile()
        spy.runcall(path.run, rounds)
        pstats.Stats(spy, stream=sys.stderr).sort_stats("tottime").print_stats(given.profile)
    return figures


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--events-per-read", type=int, default=1)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--requests", type=int, default=32, help="in each repeat")
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--calls", action="store_true", help="count the calls of a request")
    parser.add_argument("--profile", type=int, metavar="LINES", help="cProfile's top, to stderr")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()

"""The stream bench's generator: an engine that keeps a timetable, and the readers of its answers.

One process on one core, raw sockets: what it wrote and when it came back are on one clock. Event
number m is due at start + m / rate and goes to stream m mod N in a write of its own; the loop that
does it is `bench/paced.c`, for it must be faster than what it measures. It answers probes while it
waits for its next order: one JSON line on stdin, one back on stdout.
"""

import argparse
import ctypes
import json
import math
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.serve import ANSWER

READ_BYTES = 1 << 16
#: Events written before what came back is read.
BURST = 64
#: How often a run that notes no times reads what came back: reading each event alone costs as
#: much as writing it.
READ_PERIOD_S = 0.025
#: The longest that starting or ending all streams may take.
PATIENCE_S = 60.0
#: In each event once, and nowhere else.
MARK = b"pump"
#: What the loop returns; 0 is well.
FAILURES = {
    1: "an event was not taken whole: the server does not read",
    2: "a stream was cut",
    3: "events do not come",
    4: "no memory, or no more files",
}


def _event(choices: list[object], **more: object) -> bytes:
    common = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    data = b"data: %b\n\n" % json.dumps({**common, "choices": choices, **more}).encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + _event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
)
TOKEN = _event([{"index": 0, "delta": {"content": " pump"}, "finish_reason": None}])
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER.encode(),
)


def _end(tokens: int) -> bytes:
    usage = {"prompt_tokens": 12, "completion_tokens": tokens, "total_tokens": 12 + tokens}
    finish = _event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    return finish + _event([], usage=usage) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Order:
    """What to do: `streams` through `port`, `tokens` each, `rate` events a second (0: unpaced)."""

    port: int
    key: str
    model: str
    streams: int
    tokens: int
    rate: float
    timed: bool = False  # note when each event came


@dataclass
class Seen:
    """What came of it. `late_s` and `gap_s`: of each event, where they were to be noted."""

    events: int = 0
    reads: int = 0
    took_s: float = 0.0
    cpu_s: float = 0.0  # the generator's own
    backlog: int = 0  # under way when the last event was written
    generator_late_s: float = 0.0  # how far behind its own timetable the last event was written
    gap_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)


class Engine:
    """The upstream side."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=2048)
        self._listening.settimeout(0)
        self._poll = select.epoll()
        self._poll.register(self._listening, select.EPOLLIN)
        self._open: dict[int, socket.socket] = {}
        self._read: dict[int, bytes] = {}
        self.streams: dict[int, socket.socket] = {}

    def fileno(self) -> int:
        return self._poll.fileno()

    def turn(self, wait_s: float) -> None:
        """Take connections and requests."""
        for number, _ in self._poll.poll(wait_s):
            if number == self._listening.fileno():
                self._accept()
            else:
                self._take(number)

    def _accept(self) -> None:
        try:
            while True:
                made, _ = self._listening.accept()
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.settimeout(0)
                self._open[made.fileno()], self._read[made.fileno()] = made, b""
                self._poll.register(made, select.EPOLLIN)
        except BlockingIOError:
            return

    def _take(self, number: int) -> None:
        connection = self._open[number]
        try:
            data = connection.recv(READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._poll.unregister(number)
            del self._open[number], self._read[number]
            connection.close()
            return
        read = self._read[number] + data
        head, _, body = read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        self._read[number] = read
        if b"\r\n\r\n" in read and len(body) == length:
            self._read[number] = b""
            self._answer(connection, body)

    def _answer(self, connection: socket.socket, body: bytes) -> None:
        if b'"stream":true' not in body:
            connection.send(WHOLE)
            return
        number = int(body.partition(b"Stream ")[2].partition(b".")[0])
        self.streams[number] = connection
        connection.send(HEAD)


class LoopOrder(ctypes.Structure):
    """`struct order` of `paced.c`."""

    _fields_ = (
        ("streams", ctypes.c_int32),
        ("tokens", ctypes.c_int32),
        ("rate", ctypes.c_double),
        ("read_period_s", ctypes.c_double),
        ("patience_s", ctypes.c_double),
        ("burst", ctypes.c_int32),
        ("timed", ctypes.c_int32),
        ("event", ctypes.c_char_p),
        ("mark", ctypes.c_char_p),
        ("event_bytes", ctypes.c_int64),
        ("mark_bytes", ctypes.c_int64),
    )


class LoopSeen(ctypes.Structure):
    """`struct seen` of `paced.c`."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("events", "reads", "noted", "backlog")),
        *((name, ctypes.c_double) for name in ("took_s", "cpu_s", "late_s")),
    )


def loop(folder: Path) -> ctypes.CDLL:
    """The compiled loop."""
    made = folder / "paced.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", made, source], check=True)
    return ctypes.CDLL(str(made))


class Reader:
    """The caller of one stream."""

    def __init__(self, order: Order, number: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", order.port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number, self.tail = number, b""
        ask = {
            "model": order.model,
            "messages": [{"role": "user", "content": f"Stream {number}."}],
            "max_tokens": order.tokens,
            "stream": True,
        }
        body = json.dumps(ask, separators=(",", ":")).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{order.port}\r\n"
        head += f"authorization: Bearer {order.key}\r\ncontent-type: application/json\r\n"
        self.socket.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.socket.settimeout(0)

    def read(self) -> None:
        """What is not a token: how an answer begins and ends."""
        data = self.socket.recv(READ_BYTES)
        if not data or MARK in data:
            raise SystemExit(f"stream {self.number} was cut: {self.tail + data!r}")
        self.tail = (self.tail + data)[-8:]

    @property
    def is_over(self) -> bool:
        return self.tail.endswith(b"0\r\n\r\n")


class Run:
    """One order, carried out."""

    def __init__(self, inner: ctypes.CDLL, engine: Engine, order: Order) -> None:
        self._inner, self._engine, self._order = inner, engine, order
        engine.streams.clear()
        self._poll = select.epoll()
        self._readers: dict[int, Reader] = {}
        for number in range(order.streams):
            reader = Reader(order, number)
            self._readers[reader.socket.fileno()] = reader
            self._poll.register(reader.socket, select.EPOLLIN)
            engine.turn(0)
        self._until(lambda: len(engine.streams) == order.streams)
        end = time.monotonic() + 0.5  # openings, and the first event of each
        while time.monotonic() < end:
            self._receive(0.01)

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise SystemExit(f"streams hang: {len(self._engine.streams)} of them began")
            self._engine.turn(0.001)
            self._receive(0.001)

    def _receive(self, wait_s: float) -> None:
        for number, _ in self._poll.poll(wait_s):
            reader = self._readers[number]
            reader.read()
            if reader.is_over:
                self._poll.unregister(number)

    def carry_out(self) -> Seen:
        """Every event written when it is due, and everything read that comes."""
        order = self._order
        total = order.streams * order.tokens
        writing, reading = (ctypes.c_int * order.streams)(), (ctypes.c_int * order.streams)()
        for reader in self._readers.values():
            writing[reader.number] = self._engine.streams[reader.number].fileno()
            reading[reader.number] = reader.socket.fileno()
        told = LoopOrder(
            streams=order.streams,
            tokens=order.tokens,
            rate=order.rate or math.inf,
            read_period_s=0.0 if order.timed or not order.rate else READ_PERIOD_S,
            patience_s=PATIENCE_S,
            burst=BURST,
            timed=order.timed,
            event=TOKEN,
            mark=MARK,
            event_bytes=len(TOKEN),
            mark_bytes=len(MARK),
        )
        came, noted = LoopSeen(), total if order.timed else 0
        late, gap = (ctypes.c_double * noted)(), (ctypes.c_double * noted)()
        how = self._inner.carry_out(
            ctypes.byref(told), writing, reading, ctypes.byref(came), late, gap
        )
        if how:
            raise SystemExit(FAILURES[how])
        self._finish()
        assert came.events == total
        return Seen(
            events=came.events,
            reads=came.reads,
            took_s=came.took_s,
            cpu_s=came.cpu_s,
            backlog=came.backlog,
            generator_late_s=came.late_s,
            late_s=list(late),
            gap_s=list(gap),
        )

    def _finish(self) -> None:
        end = _end(self._order.tokens)
        for connection in self._engine.streams.values():
            connection.send(end)
        self._until(lambda: all(reader.is_over for reader in self._readers.values()))
        for reader in self._readers.values():
            reader.socket.close()
        self._poll.close()


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    engine = Engine(parser.parse_args().port)
    with tempfile.TemporaryDirectory(prefix="inland-paced-") as folder:
        inner = loop(Path(folder))
    while True:
        ready, _, _ = select.select([engine, sys.stdin], [], [])
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            seen = Run(inner, engine, Order(**json.loads(line))).carry_out()
            print(json.dumps(asdict(seen)), flush=True)
        else:
            engine.turn(0)


if __name__ == "__main__":
    main()

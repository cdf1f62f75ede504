"""The stream bench's generator: an engine that keeps a timetable, and the readers of its answers.

One process on one core, raw sockets: what it wrote and when it came back are on one clock. Event
number m is due at start + m / rate and goes to stream m mod N in a write of its own. It answers
probes while it waits for its next order: one JSON line on stdin, one back on stdout.
"""

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from bench.serve import ANSWER

READ_BYTES = 1 << 16
#: Events written before what came back is read.
BURST = 64
#: How often a run that notes no times reads what came back: reading each event alone costs as
#: much as writing it, and then the generator would be slower than what it measures.
READ_PERIOD_S = 0.025
#: The longest that starting or ending all streams may take.
PATIENCE_S = 60.0
#: In each event once, and nowhere else.
MARK = b"pump"


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


class Reader:
    """The caller of one stream."""

    def __init__(self, order: Order, number: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", order.port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number, self.got, self.tail, self.last = number, 0, b"", 0.0
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

    def read(self) -> int:
        """Events that came."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise SystemExit(f"stream {self.number} was cut: {self.tail!r}")
        count = data.count(MARK) + (self.tail[-3:] + data[:3]).count(MARK)
        self.tail = data[-8:] if len(data) >= 8 else (self.tail + data)[-8:]
        self.got += count
        return count

    @property
    def is_over(self) -> bool:
        return self.tail.endswith(b"0\r\n\r\n")


class Run:
    """One order, carried out."""

    def __init__(self, engine: Engine, order: Order) -> None:
        self._engine, self._order, self._seen = engine, order, Seen()
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
        self._seen.reads = 0

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise SystemExit(f"streams hang: {len(self._engine.streams)} of them began")
            self._engine.turn(0.001)
            self._receive(0.001)

    def _receive(self, wait_s: float) -> None:
        seen = self._seen
        for number, _ in self._poll.poll(wait_s):
            reader = self._readers[number]
            count = reader.read()
            seen.reads += 1
            if count:
                seen.events += count
                if self._order.timed:
                    self._note(reader, count)
            elif reader.is_over:
                self._poll.unregister(number)

    def _note(self, reader: Reader, count: int) -> None:
        now, order = time.monotonic(), self._order
        for before in range(reader.got - count, reader.got):
            due = self._start + (before * order.streams + reader.number) / order.rate
            self._seen.late_s.append(now - due)
            if reader.last:
                self._seen.gap_s.append(now - reader.last)
            reader.last = now

    def carry_out(self) -> Seen:
        """Every event written when it is due, and everything read that comes."""
        order, seen = self._order, self._seen
        writes = [self._engine.streams[number].send for number in range(order.streams)]
        total, sent = order.streams * order.tokens, 0
        rate = order.rate or 1e12
        used = time.process_time()
        self._start = start = time.monotonic()
        look = start
        period = 0.0 if order.timed or not order.rate else READ_PERIOD_S
        while sent < total:
            now = time.monotonic()
            due = min(total, int((now - start) * rate) + 1)
            for number in range(sent, min(due, sent + BURST)):
                if writes[number % order.streams](TOKEN) != len(TOKEN):
                    raise SystemExit("an event was not taken whole: the server does not read")
            sent = min(due, sent + BURST)
            if now >= look:
                look = now + period
                self._receive(0)
        seen.generator_late_s = time.monotonic() - start - (total - 1) / rate
        self._receive(0)
        seen.backlog = total - seen.events
        self._until(lambda: seen.events >= total)
        seen.took_s = time.monotonic() - start
        seen.cpu_s = time.process_time() - used
        self._finish()
        return seen

    def _finish(self) -> None:
        end = _end(self._order.tokens)
        for connection in self._engine.streams.values():
            connection.send(end)
        self._until(lambda: all(reader.is_over for reader in self._readers.values()))
        for reader in self._readers.values():
            reader.socket.close()
        self._poll.close()
        assert self._seen.events == self._order.streams * self._order.tokens


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    engine = Engine(parser.parse_args().port)
    while True:
        ready, _, _ = select.select([engine, sys.stdin], [], [])
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            seen = Run(engine, Order(**json.loads(line))).carry_out()
            print(json.dumps(asdict(seen)), flush=True)
        else:
            engine.turn(0)


if __name__ == "__main__":
    main()

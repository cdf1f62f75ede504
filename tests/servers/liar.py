"""A server that stands before another and fails as it is told: away, slow, wrong, of yesterday."""

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any


class Mode(Enum):
    """What it does with a request."""

    HONEST = "honest"
    FAILS = "fails"  # 500, whatever is asked
    BUSY = "busy"  # 503, likewise
    HANGS = "hangs"  # takes the request and never answers
    DRIPS = "drips"  # answers a byte every now and then
    TAG = "tag"  # answers with an ETag of its own making
    OLD = "old"  # answers a GET or HEAD as it did the first time
    WRONG = "wrong"  # answers a GET with other bytes of the same length
    SHORT = "short"  # hangs up in the middle of an answer
    FORGETS = "forgets"  # says it took what it threw away
    NONSENSE = "nonsense"  # no HTTP at all


class Liar(http.server.ThreadingHTTPServer):
    """Before the server on `port` of this machine."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.behind = port
        self.mode = Mode.HONEST
        self.count = 0
        self.first: dict[tuple[str, str], tuple[int, list[tuple[str, str]], bytes]] = {}
        self.ended = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers hang up on it: that is what it is for."""


class _Requests(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Liar

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        mode, asked = self.server.mode, (self.command, self.path)
        self.close_connection = True
        if mode is Mode.HANGS:
            self.server.ended.wait()
            return
        if mode is Mode.NONSENSE:
            self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
            return
        if mode in {Mode.FAILS, Mode.BUSY}:
            self._say(
                500 if mode is Mode.FAILS else 503, [], b"<Error><Code>InternalError</Code></Error>"
            )
            return
        if mode is Mode.FORGETS and self.command == "PUT":
            self._say(200, [("etag", '"0"')], b"")
            return
        status, headers, data = self._behind(body)
        if mode is Mode.OLD and self.command in {"GET", "HEAD"} and asked in self.server.first:
            status, headers, data = self.server.first[asked]
        self.server.first.setdefault(asked, (status, headers, data))
        if mode is Mode.TAG:
            headers = [
                (n, f'"{self.server.count}"' if n.lower() == "etag" else v) for n, v in headers
            ]
            self.server.count += 1
        if mode is Mode.WRONG and self.command == "GET":
            data = bytes(byte ^ 1 for byte in data)
        if mode is Mode.DRIPS:
            self._drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 4096)
            return
        self._say(status, headers, data, short=mode is Mode.SHORT)

    def _drip(self, data: bytes) -> None:
        with suppress(OSError):
            for at in range(len(data)):
                self.wfile.write(data[at : at + 1])
                if self.server.ended.wait(0.2):
                    return

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every method alike
            return self._answer
        raise AttributeError(name)

    def _behind(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        there = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        try:
            there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                there.putheader(name, value)
            there.endheaders(body or None)
            answer = there.getresponse()
            kept = [one for one in answer.getheaders() if one[0].lower() not in _OWN]
            if self.command == "HEAD":
                kept.append(("content-length", answer.headers.get("content-length", "0")))
            return answer.status, kept, answer.read()
        finally:
            there.close()

    def _say(
        self, status: int, headers: list[tuple[str, str]], data: bytes, *, short: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(data)))
        self.send_header("connection", "close")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(data[: len(data) // 2] if short else data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


_OWN = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


@contextmanager
def standing_before(port: int) -> Iterator[Liar]:
    """One that is gone after the block."""
    made = Liar(port)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.ended.set()
        made.shutdown()
        made.server_close()
        thread.join()

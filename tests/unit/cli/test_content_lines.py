"""Content between a file and control: exactly what was asked for, or an error."""

import os
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from inland.client import FactoryClient
from inland.content_lines import ContentLines
from inland.domain.errors import Busy
from inland.refusals import Refused

BODY = os.urandom(3 << 20)


@dataclass
class Control:
    """What answers on `path`: PUT keeps the body by its target, GET shows it."""

    path: Path
    kept: dict[str, bytes] = field(default_factory=dict)
    connections: int = 0
    hangs_up: bool = False


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    control: Control

    def process_request(self, request: object, client: object) -> None:
        self.control.connections += 1
        super().process_request(request, client)

    def handle_error(self, request: object, client: object) -> None:
        """A caller that goes in the middle, as one here does."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *_words: object) -> None:  # noqa: A002 - its name there
        return

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.control.hangs_up

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.control.kept[self.path] = body
        self._answer(200, b"")

    def do_GET(self) -> None:
        kept = self.server.control.kept.get(self.path)
        self._answer(404, b'{"title": "Not found"}') if kept is None else self._answer(200, kept)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    made = Control(tmp_path / "c.sock")
    with _Server(str(made.path), _Handler) as server:
        server.control = made
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def lines(control: Control) -> Iterator[ContentLines]:
    made = ContentLines(control.path, {}, 30.0)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(BODY)
    return tmp_path / "file"


def test_pieces_of_a_file_arrive_and_come_back(control, lines, file):
    step = 700_001
    starts = range(0, len(BODY), step)
    into = memoryview(bytearray(step + 5))
    with file.open("rb") as opened, ThreadPoolExecutor(3) as pool:
        lengths = [min(step, len(BODY) - at) for at in starts]
        list(pool.map(lambda at, n: lines.send(f"/{at}", opened, at, n), starts, lengths))
    assert control.kept == {f"/{at}": BODY[at : at + step] for at in starts}
    for at in starts:
        answer = lines.receive(f"/{at}", into)
        assert bytes(into[: answer.length]) == BODY[at : at + step]
    assert control.connections <= 3, "they are used again"


def test_a_file_that_ends_before_is_noticed(lines, file):
    with file.open("rb") as opened, pytest.raises(EOFError):
        lines.send("/0", opened, 1, len(BODY))


def test_content_that_has_no_room_is_refused(control, lines):
    control.kept["/0"] = BODY
    with pytest.raises(HTTPException):
        lines.receive("/0", memoryview(bytearray(len(BODY) - 1)))


def test_a_line_that_was_hung_up_is_replaced(control, lines, file):
    control.hangs_up = True
    with file.open("rb") as opened:
        for number in range(3):
            assert lines.send(f"/{number}", opened, 0, 10).status == 200
    assert control.connections == 3


def test_a_refusal_says_why_and_silence_is_busy(control):
    into, gone = memoryview(bytearray(10)), control.path.with_name("none")
    with FactoryClient(control.path, "key") as client, pytest.raises(Refused, match="Not found"):
        client.asset_parts("a", "e", range(2), into)
    with FactoryClient(gone, "key") as client, pytest.raises(Busy):
        client.asset_parts("a", "e", range(2), into)

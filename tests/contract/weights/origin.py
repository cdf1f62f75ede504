"""A server of files over HTTPS that behaves as hubs, indexes and stores document that theirs do."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.contract.egress.certificates import certificate

#: What answers a path: the request's headers → status, headers, body.
Answer = Callable[[dict[str, str]], tuple[int, dict[str, str], bytes]]


@dataclass
class Origin:
    """`answers` by path, without the query. `asked`: each request's path and headers. The next
    answers are cut after so many bytes as `cuts` has."""

    name: str
    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{self.name}:{self.port}"

    def file(self, path: str, data: bytes, **headers: str) -> None:
        """A file, with ranges and a strong tag."""
        tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'

        def answer(asked: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
            said = {**headers, "ETag": tag}
            begin = asked.get("range", "").removeprefix("bytes=").removesuffix("-")
            if not begin or asked.get("if-range", tag) != tag:
                return 200, said, data
            if int(begin) >= len(data):
                return 416, said, b""
            said["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            return 206, said, data[int(begin) :]

        self.answers[path] = answer

    def redirect(self, path: str, to: str, **headers: str) -> None:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = lambda _: (302, {**said, "Location": to}, b"")


@contextmanager
def origin(name: str, folder: Path, trusting: ssl.SSLContext) -> Iterator[Origin]:
    """A server under `name`, whose certificate `trusting` trusts."""
    folder.mkdir()
    cert, key = certificate(folder, name)
    trusting.load_verify_locations(cafile=str(cert))
    made = Origin(name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = {name.lower(): value for name, value in self.headers.items()}
            path = self.path.partition("?")[0]
            made.asked.append((self.path, asked))
            answer = made.answers.get(path, lambda _: (404, {}, b""))
            status, headers, body = answer(asked)
            self.send_response(status)
            for one, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(one, value)
            self.end_headers()
            cut = made.cuts.pop(0) if made.cuts and status in {200, 206} else len(body)
            self.wfile.write(body[:cut])
            self.close_connection = cut < len(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    server.socket = serving.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""The door for threads, the client and the proxy bound to it: judged, pinned, counted, closed."""

import http.server
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.door import origin
from inland.adapters.egress.http import client
from inland.adapters.egress.judging import Allow
from inland.adapters.egress.pace import Pace
from inland.adapters.egress.proxy import Proxy
from inland.adapters.egress.uses import Use
from inland.domain.errors import Denied
from tests.contract.egress.certificates import certificate
from tests.patience import PATIENCE_S, until

NOBODY = "no-such.example"
BY = ("rule",)


class Server(http.server.ThreadingHTTPServer):
    """Answers with what it was asked; remembers it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[tuple[str, str | None]] = []
        self.connections = 0

    @property
    def port(self) -> int:
        return self.server_address[1]

    def get_request(self):
        self.connections += 1
        return super().get_request()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("host")))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def door(allow: Allow = lambda host, port, inside: BY, **more: ssl.SSLContext) -> BlockingDoor:
    return BlockingDoor(allow, resolve=lambda host, port: ["127.0.0.1"], **more)


def outside_only(host: str, port: int, inside: bool) -> tuple[str, ...]:
    return () if inside else BY


def test_a_name_that_points_inside_is_refused_without_a_connection(server: Server) -> None:
    one = door(outside_only)
    with pytest.raises(Denied):
        one.connect_tcp("metadata.example", server.port, "test")
    with pytest.raises(Denied):
        one.pin("metadata.example", server.port, "test")
    with pytest.raises(Denied), client(one, "test") as http:
        http.get(f"http://metadata.example:{server.port}/")
    assert server.connections == 0
    assert one.uses.counts() == {Use(f"metadata.example:{server.port}", "test", ()): 3}


def test_what_passes_is_counted_by_endpoint_reason_and_rule(server: Server) -> None:
    one = door()
    for _ in range(3):
        one.connect_tcp(NOBODY, server.port, "keys").close()
    one.connect_tcp(NOBODY, server.port, "blobs").close()
    endpoint = f"{NOBODY}:{server.port}"
    assert one.uses.counts() == {Use(endpoint, "keys", BY): 3, Use(endpoint, "blobs", BY): 1}


def test_a_client_speaks_http_by_the_judged_address(server: Server) -> None:
    with client(door(), "test") as http:
        for _ in range(2):
            assert http.get(f"http://{NOBODY}:{server.port}/a?b=c").text == "ok"
        assert http.put(f"http://{NOBODY}:{server.port}/d", content=b"x" * 100_000).text == "ok"
    host = f"{NOBODY}:{server.port}"
    assert server.asked == [("/a?b=c", host), ("/a?b=c", host), ("/d", host)]
    assert server.connections == 1, "a connection that stands is used again"


def test_a_client_follows_no_redirect_and_names_what_failed(server: Server) -> None:
    with client(door(), "test") as http:
        assert http.follow_redirects is False
        with pytest.raises(httpx.ConnectError):
            http.get(f"http://{NOBODY}:{_closed_port()}/")


class Ticks:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


#: What a server says that never ends; in its head or in its body.
DRIPS = {"head": b"HTTP/1.1 200 OK\r\nx: ", "body": b"HTTP/1.1 200 OK\r\n\r\n"}


@pytest.mark.parametrize("where", DRIPS)
@pytest.mark.parametrize(
    ("pace", "why"),
    [
        (lambda: Pace(100_000_000, 60.0, 1e9, Ticks()), "at least 100000000"),
        (lambda: Pace(0, 60.0, 300.0, Ticks()), "has not ended within 300 s"),
    ],
)
def test_a_server_that_drips_or_never_ends_is_given_up(
    where: str, pace: Callable[[], Pace], why: str
) -> None:
    """It sends a byte after another for as long as it is read, with a rest after each: however long
    nobody reads, there are few of them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            caller, _ = listener.accept()
            with caller, suppress(OSError):
                caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                caller.recv(65_536)
                caller.sendall(DRIPS[where])
                while True:
                    caller.sendall(b"x")
                    time.sleep(0.001)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://{NOBODY}:{listener.getsockname()[1]}/"
        with client(door(), "test", pace=pace()) as http, pytest.raises(httpx.ReadTimeout) as told:
            http.get(url)
        assert why in str(told.value)
        thread.join()


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_policy_that_closes_the_way_ends_what_stands(server: Server) -> None:
    may: list[tuple[str, ...]] = [BY]
    one = door(lambda host, port, inside: may[0])
    connection = one.connect_tcp(NOBODY, server.port, "test")
    with connection:
        one.recheck()
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        may[0] = ()
        one.recheck()
        connection.settimeout(PATIENCE_S)
        with suppress(ConnectionResetError):  # what the server still sends meets a closed door
            while connection.recv(100):
                pass


def test_what_is_forbidden_while_it_connects_is_not_connected(server: Server) -> None:
    answers = iter([BY, ()])
    with pytest.raises(Denied):
        door(lambda host, port, inside: next(answers)).connect_tcp(NOBODY, server.port, "test")


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Server, ssl.SSLContext]]:
    """A server behind TLS as right.example, and what trusts it."""
    cert, key = certificate(tmp_path, "right.example")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    made = Server()
    made.socket = serving.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made, ssl.create_default_context(cafile=str(cert))
    made.shutdown()
    thread.join()
    made.server_close()


def test_tls_is_verified_against_the_name(secure: tuple[Server, ssl.SSLContext]) -> None:
    server, trusting = secure
    one = door(context=trusting)
    one.open(origin(f"https://right.example:{server.port}"), "test").close()
    with pytest.raises(ssl.SSLCertVerificationError):
        one.open(origin(f"https://wrong.example:{server.port}"), "test")
    with client(one, "test") as http:
        assert http.get(f"https://right.example:{server.port}/").text == "ok"
        with pytest.raises(httpx.ConnectError):
            http.get(f"https://wrong.example:{server.port}/")


def test_a_library_of_its_own_goes_through_the_proxy(
    server: Server, secure: tuple[Server, ssl.SSLContext]
) -> None:
    secured, trusting = secure
    one = door()
    with (
        Proxy(one, "library") as proxy,
        httpx.Client(proxy=proxy.url, verify=trusting, timeout=PATIENCE_S) as http,
    ):
        assert http.get(f"https://right.example:{secured.port}/t").text == "ok"
        for _ in range(2):
            assert http.get(f"http://{NOBODY}:{server.port}/a?b=c").text == "ok"
        assert http.put(f"http://{NOBODY}:{server.port}/d", content=b"x" * 100_000).text == "ok"
    assert ("/a?b=c", f"{NOBODY}:{server.port}") in server.asked
    assert {use.why for use in one.uses.counts()} == {"library"}


def test_the_proxy_opens_nothing_that_the_door_does_not(server: Server) -> None:
    one = door(outside_only)
    with Proxy(one, "library") as proxy, httpx.Client(proxy=proxy.url, timeout=PATIENCE_S) as http:
        assert http.get(f"http://{NOBODY}:{server.port}/").status_code == 403
        with pytest.raises(httpx.ProxyError):
            http.get(f"https://{NOBODY}:{server.port}/")
    assert server.connections == 0


def test_the_proxy_is_for_who_knows_its_password_alone(server: Server) -> None:
    with Proxy(door(), "library") as proxy:
        for url in (proxy.url.replace("inland:", "inland:x"), proxy.url.partition("@")[2]):
            stranger = url if "//" in url else f"http://{url}"
            with httpx.Client(proxy=stranger, timeout=PATIENCE_S) as http:
                assert http.get(f"http://{NOBODY}:{server.port}/").status_code == 407
    assert server.connections == 0


def test_the_proxy_goes_on_where_no_descriptor_was_left(server: Server) -> None:
    """The first caller has the one that was waiting for it; the next waits until there is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Proxy(door(), "library") as proxy, socket.socket() as first, socket.socket() as caller:
        parts = httpx.URL(proxy.url)
        caller.settimeout(PATIENCE_S)
        proof = b"proxy-authorization: " + proxy._proof
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # fewer than there are
            for one in (first, caller):
                one.connect((parts.host, parts.port or 0))
            caller.sendall(b"GET http://x:%d/a HTTP/1.1\r\n%b\r\n\r\n" % (server.port, proof))
            until(lambda: proxy.short)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert caller.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "head",
    [b"GET / HTTP/1.1", b"CONNECT x HTTP/1.1", b"GET ftp://x/ HTTP/1.1", b"nonsense", b"\xff"],
)
def test_what_is_no_request_to_a_proxy_is_refused(head: bytes) -> None:
    with Proxy(door(), "library") as proxy:
        parts = httpx.URL(proxy.url)
        with socket.create_connection((parts.host, parts.port or 0), timeout=PATIENCE_S) as caller:
            caller.sendall(head + b"\r\nproxy-authorization: " + proxy._proof + b"\r\n\r\n")
            assert caller.recv(100)[9:12] in {b"400", b"407"}

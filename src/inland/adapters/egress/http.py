"""HTTP through the door: an `httpx` client whose every connection the door opens."""

import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.pace import Pace

#: Connections of one client, and how many of these wait unused.
CONNECTIONS, IDLE_CONNECTIONS = 32, 16
#: What httpcore calls the failures of a socket, when one of its calls fails or takes too long.
_Failures = tuple[type[Exception], type[Exception]]
_READING: _Failures = (httpcore.ReadTimeout, httpcore.ReadError)
_WRITING: _Failures = (httpcore.WriteTimeout, httpcore.WriteError)
_CONNECTING: _Failures = (httpcore.ConnectTimeout, httpcore.ConnectError)


def client(
    door: BlockingDoor,
    why: str,
    base_url: str = "",
    timeout_s: float = 30.0,
    pace: Pace | None = None,
) -> httpx.Client:
    """A client for threads. It follows no redirect and knows no proxy of the environment. With a
    `pace` it is one thread's, and all its reading is held to it.

    Requests raise httpx.TransportError, and Denied for what the door does not open.
    """
    return httpx.Client(
        transport=_Transport(door, why, pace), base_url=base_url, timeout=timeout_s, trust_env=False
    )


class _Transport(httpx.HTTPTransport):
    def __init__(self, door: BlockingDoor, why: str, pace: Pace | None) -> None:
        super().__init__(verify=door.context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=door.context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=IDLE_CONNECTIONS,
            network_backend=_Backend(door, why, pace),
        )


class _Backend(httpcore.NetworkBackend):
    def __init__(self, door: BlockingDoor, why: str, pace: Pace | None) -> None:
        self._door = door
        self._why = why
        self._pace = pace

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        with _named(_CONNECTING):
            opened = self._door.connect_tcp(host, port, self._why, timeout)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Stream(opened, self._door, host, self._pace)


class _Stream(httpcore.NetworkStream):
    def __init__(
        self, connection: socket.socket, door: BlockingDoor, host: str, pace: Pace | None
    ) -> None:
        self._connection = connection
        self._door = door
        self._host = host
        self._pace = pace

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _named(_READING):
            if self._pace is not None:
                return self._pace.read(self._connection, max_bytes, timeout)
            self._connection.settimeout(timeout)
            return self._connection.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _named(_WRITING):
            self._connection.settimeout(timeout)
            self._connection.sendall(buffer)

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        with _named(_CONNECTING):
            peer = self._connection.getpeername()
            try:
                self._connection.settimeout(timeout)
                secured = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
            except BaseException:
                self._connection.close()
                raise
            self._door.keep(secured, self._host, int(peer[1]), str(peer[0]))
        return _Stream(secured, self._door, self._host, self._pace)

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._connection if isinstance(self._connection, ssl.SSLSocket) else None
            case "client_addr":
                return self._connection.getsockname()
            case "server_addr":
                return self._connection.getpeername()
            case "socket":
                return self._connection
            case "is_readable":
                return _is_readable(self._connection)
            case _:
                return None


def _is_readable(connection: socket.socket) -> bool:
    """Whether something waits to be read, its end included: such a connection is not reused."""
    if connection.fileno() < 0:
        return True
    polled = select.poll()
    polled.register(connection, select.POLLIN)
    return bool(polled.poll(0))


@contextmanager
def _named(failures: _Failures) -> Iterator[None]:
    """What httpcore expects a failing socket to raise."""
    late, failed = failures
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise failed(str(error)) from error

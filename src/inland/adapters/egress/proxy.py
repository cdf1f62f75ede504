"""A proxy on this machine for libraries that bring an HTTP of their own: what they ask for, the
door opens or refuses.

It listens on 127.0.0.1 for whoever knows its password, which stands in its `url` alone. It speaks
CONNECT, for https, and passes plain http requests on, one a connection.
"""

import logging
import secrets
import socket
from base64 import b64encode
from contextlib import suppress
from hmac import compare_digest
from threading import BoundedSemaphore, Event, Thread
from typing import Self
from urllib.parse import urlsplit

from inland.adapters.egress.blocking import BlockingDoor
from inland.domain.errors import Denied

#: What is read of a request before its first empty line, in bytes, and for how long.
HEAD_BYTES, HEAD_S = 16_384, 10.0
#: Connections at a time; more wait to be accepted.
CONNECTIONS = 64
#: Pause before it is tried again, where the process has no descriptor left, in seconds.
SHORT_S = 0.1
_CHUNK_BYTES = 65_536
_END = b"\r\n\r\n"
_OURS = (b"proxy-", b"connection:", b"keep-alive:", b"expect:")
_CLOSE = b"connection: close\r\n"
_log = logging.getLogger(__name__)


class Proxy:
    """A door's proxy, from `with` to its end. `url` is what a library is given."""

    def __init__(self, door: BlockingDoor, why: str) -> None:
        self._door = door
        self._why = why
        secret = secrets.token_hex(16)
        self._proof = b"basic " + b64encode(f"inland:{secret}".encode())
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
        self.url = f"http://inland:{secret}@127.0.0.1:{self._listener.getsockname()[1]}"
        self._room = BoundedSemaphore(CONNECTIONS)
        self._closed = Event()
        #: Why nobody can be taken just now; empty where they can.
        self.short = ""
        self._thread = Thread(target=self._accept, name="egress-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more connections; those that stand go on until either end closes."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            self._room.acquire()  # given back by the thread that serves
            caller = self._accepted()
            if caller is None:
                return
            try:
                Thread(target=self._serve, args=(caller,), name="egress-proxy", daemon=True).start()
            except RuntimeError:  # no thread to be had just now: this caller may come again
                caller.close()
                self._room.release()

    def _accepted(self) -> socket.socket | None:
        """The next caller; None once this is closed. What is short for a while is waited for."""
        while not self._closed.is_set():
            try:
                caller = self._listener.accept()[0]
            except OSError as error:
                if not self.short:
                    _log.warning("the proxy takes nobody for now", extra={"why": str(error)})
                self.short = str(error)
                self._closed.wait(SHORT_S)
            else:
                self.short = ""
                return caller
        return None

    def _serve(self, caller: socket.socket) -> None:
        try:
            with caller:
                self._answer(caller)
        except OSError as error:
            _log.debug("a caller of the proxy went", extra={"why": str(error)})
        finally:
            self._room.release()

    def _answer(self, caller: socket.socket) -> None:
        caller.settimeout(HEAD_S)
        head, rest = _head(caller)
        lines = head.split(b"\r\n")
        words = lines[0].split(b" ")
        if len(words) != 3 or not self._is_known(lines[1:]):
            _say(caller, "407 Proxy Authentication Required", "this proxy is for one program")
            return
        connects = words[0] == b"CONNECT"
        asked = _endpoint(words[1], connects=connects)
        if asked is None:
            _say(caller, "400 Bad Request", "CONNECT host:port, or a http:// URL")
            return
        try:
            there = self._door.connect_tcp(*asked, self._why)
        except Denied as error:
            _say(caller, "403 Forbidden", str(error))
            return
        except OSError as error:
            _say(caller, "502 Bad Gateway", str(error))
            return
        with there:
            caller.settimeout(None)
            if connects:
                caller.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                there.sendall(rest)
                _join(caller, there)
            else:
                there.sendall(_direct(words, lines[1:]) + rest)
                _join(caller, there, first=_CLOSE)

    def _is_known(self, headers: list[bytes]) -> bool:
        for header in headers:
            name, _, value = header.partition(b":")
            if name.strip().lower() == b"proxy-authorization":
                scheme, _, proof = value.strip().partition(b" ")
                return compare_digest(scheme.lower() + b" " + proof.strip(), self._proof)
        return False


def _head(caller: socket.socket) -> tuple[bytes, bytes]:
    """A request up to its first empty line, and what came with it. Raises OSError."""
    data = b""
    while _END not in data:
        if len(data) > HEAD_BYTES:
            raise ConnectionAbortedError("its head is too long")
        more = caller.recv(_CHUNK_BYTES)
        if not more:
            raise ConnectionResetError("it hung up")
        data += more
    head, _, rest = data.partition(_END)
    return head, rest


def _endpoint(target: bytes, *, connects: bool) -> tuple[str, int] | None:
    """Host and port of a request's target."""
    try:
        text = target.decode("ascii")
        parts = urlsplit(f"//{text}" if connects else text)
        port = parts.port
    except (UnicodeDecodeError, ValueError):
        return None
    if not parts.hostname or parts.scheme != ("" if connects else "http"):
        return None
    if connects:
        return None if port is None else (parts.hostname, port)
    return parts.hostname, port or 80


def _direct(words: list[bytes], headers: list[bytes]) -> bytes:
    """A request to a proxy as the server itself gets it: its path, and the only one."""
    parts = urlsplit(words[1].decode("ascii"))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [one for one in headers if not one.lower().startswith(_OURS)]
    first = b" ".join([words[0], path.encode("ascii"), words[2]])
    return b"\r\n".join([first, *kept, _CLOSE]) + b"\r\n"


def _join(caller: socket.socket, there: socket.socket, first: bytes = b"") -> None:
    """Carry bytes both ways until both have said all. `first`: the answer's first header.

    With it a caller knows that the connection ends with that answer, whatever the server says of
    its own, and asks for nothing more on it.
    """
    args = (there, caller, first)
    back = Thread(target=_carry, args=args, name="egress-proxy", daemon=True)
    back.start()
    _carry(caller, there)
    back.join()


def _carry(source: socket.socket, target: socket.socket, header: bytes = b"") -> None:
    try:
        if header:
            target.sendall(_first_line(source) + header)
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one end is gone: so is what the other could say
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _first_line(source: socket.socket) -> bytes:
    """What comes first, read up to the end of its line. Raises OSError."""
    line = b""
    while not line.endswith(b"\r\n"):
        if len(line) > HEAD_BYTES:
            raise ConnectionAbortedError("its first line is too long")
        one = source.recv(1)
        if not one:
            raise ConnectionResetError("it hung up")
        line += one
    return line


def _say(caller: socket.socket, status: str, why: str) -> None:
    text = " ".join(why.split()).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {len(text)}\r\n"
    caller.sendall(head.encode() + b"connection: close\r\n\r\n" + text)

"""Content of assets between a file and control, over connections of its own.

The kernel moves it from the file into the connection, and from a connection into memory that is
used again: nothing of it is copied on the way, as a general HTTP client would several times.
"""

import os
import select
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import (  # noqa: TID251 - a unix socket of our own, no connection to anywhere
    HTTPConnection,
    HTTPResponse,
    IncompleteRead,
)
from pathlib import Path
from typing import BinaryIO

OCTETS = "application/octet-stream"
#: Sent ahead of what control has read: it and we take turns less often.
SEND_BYTES = 1 << 20
#: Of what control says in words, most that is read.
WORDS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """`words`: the body of one that is no content. `length`: of the content, which is received."""

    status: int
    words: bytes = b""
    length: int = 0


class _Line(HTTPConnection):
    """One connection to a unix socket."""

    def __init__(self, path: Path, limit_s: float) -> None:
        super().__init__("control", timeout=limit_s)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def pour(self, file: int, at: int, length: int) -> None:
        """Send bytes of an open file. Raises EOFError, and TimeoutError when none is taken."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLOUT)
        end = at + length
        while at < end:
            if not waiting.poll((self.timeout or 0) * 1000):
                raise TimeoutError("it takes nothing")
            with suppress(BlockingIOError):
                sent = os.sendfile(self.sock.fileno(), file, at, end - at)
                if not sent:
                    raise EOFError
                at += sent


class ContentLines:
    """As many connections as there are calls at once. Threads may share it.

    Calls raise OSError and HTTPException where control does not answer as it should.
    """

    def __init__(self, path: Path, headers: Mapping[str, str], limit_s: float) -> None:
        self._path = path
        self._headers = dict(headers)
        self._limit_s = limit_s
        self._free: deque[_Line] = deque()

    def send(self, target: str, file: BinaryIO, at: int, length: int) -> Answer:
        """PUT `length` bytes of a file from `at` on. Raises EOFError where it has fewer."""

        def call(line: _Line) -> Answer:
            line.putrequest("PUT", target, skip_accept_encoding=True)
            for name, value in {**self._headers, "content-type": OCTETS}.items():
                line.putheader(name, value)
            line.putheader("content-length", str(length))
            line.endheaders()
            line.pour(file.fileno(), at, length)
            return _words(line.getresponse())

        return self._on_a_line(call)

    def receive(self, target: str, into: memoryview) -> Answer:
        """GET content into `into`, which has room for it."""

        def call(line: _Line) -> Answer:
            line.request("GET", target, headers=self._headers)
            reply = line.getresponse()
            if reply.status != HTTPStatus.OK or reply.length is None:
                return _words(reply)
            length, at = reply.length, 0
            if length > len(into):
                raise IncompleteRead(b"", len(into))
            while at < length:
                got = reply.readinto(into[at:length])
                if not got:
                    raise IncompleteRead(b"", length - at)
                at += got
            reply.read()  # nothing is left: the connection is free again
            return Answer(reply.status, length=length)

        return self._on_a_line(call)

    def close(self) -> None:
        """Close those that are not at work."""
        while self._free:
            self._free.pop().close()

    def _on_a_line(self, call: Callable[[_Line], Answer]) -> Answer:
        """One that was used before may have been hung up meanwhile: then on another, from the
        beginning, for a part may be sent and asked for again."""
        with suppress(IndexError, ConnectionError):
            return self._kept(self._free.pop(), call)
        return self._kept(_Line(self._path, self._limit_s), call)

    def _kept(self, line: _Line, call: Callable[[_Line], Answer]) -> Answer:
        try:
            answer = call(line)
        except BaseException:
            line.close()
            raise
        self._free.append(line)
        return answer


def _words(reply: HTTPResponse) -> Answer:
    return Answer(reply.status, reply.read(WORDS_BYTES))

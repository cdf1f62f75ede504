"""Handing plaintext over: an engine that starts asks control for its weights and its adapters on a
unix socket, and gets memory files' descriptors, or why not.

One JSON line asks, one answers, with the descriptors beside it. Whoever asks is known by its pid,
which the kernel says; what was shut in is not heard.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from inland.adapters.files.clock import SystemClock
from inland.adapters.isolation.peers import is_shut_in, pid_of
from inland.domain.errors import Conflict, InlandError
from inland.ports.plaintext import Plaintext

#: One question or answer, newline included.
LINE_BYTES = 16_384
#: Most descriptors that are handed over at once; the kernel takes 253 (SCM_MAX_FD).
FILES = 250
WHY_CHARS = 2_000
#: Askers served at once; more wait in the kernel.
ASKERS = 8
ASKING_S = 10.0
#: How long an engine waits for control to be there, and for large weights to be opened.
CONTROL_S, OPENING_S = 120.0, 3600.0
_PAUSE_S = 0.1

#: What process `name` with `pid` is to have, and of its adapters those it asks for, in that order.
#: Raises InlandError.
Handed = Callable[[str, int, tuple[str, ...]], Sequence[Plaintext]]


class HandingSocket:
    """Control's end. Made when control starts, closed when it ends."""

    def __init__(self, path: Path, handed: Handed) -> None:
        self._handed = handed
        self._places = threading.BoundedSemaphore(ASKERS)
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))  # private by the umask and by its folder
        self._listener.listen(ASKERS * 4)

    def serve(self) -> None:
        """Answer until `close`, each asker on a thread of its own."""
        while True:
            self._places.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, ValueError):
                connection.settimeout(ASKING_S)
                if not is_shut_in(connection):
                    self._converse(connection)
        finally:
            self._places.release()

    def _converse(self, connection: socket.socket) -> None:
        asked = json.loads(_line(connection))
        adapters = tuple(str(each) for each in asked["adapters"])
        try:
            files = self._handed(str(asked["process"]), pid_of(connection), adapters)
        except (InlandError, OSError) as error:
            connection.sendall(_told({"why": str(error)[:WHY_CHARS]}))
            return
        try:
            told = _told({"files": len(files)})
            socket.send_fds(connection, [told], [file.fd for file in files])
        finally:
            for file in files:
                file.close()


def ask(path: Path, process: str, adapters: Sequence[str] = ()) -> list[int]:
    """The descriptors of what `process`, the one that asks, is to have: of its weights, where they
    are an asset, and of the adapters it asks for.

    Waits for a control that is not there yet. Raises Conflict with why it is given nothing.
    """
    clock = SystemClock()
    until_s = clock.monotonic() + CONTROL_S
    while True:
        try:
            return _asked(path, process, adapters)
        except (OSError, ValueError) as error:
            if clock.monotonic() > until_s:
                raise Conflict(process, f"control hands over nothing ({error})") from None
        clock.sleep(_PAUSE_S)


def _asked(path: Path, process: str, adapters: Sequence[str]) -> list[int]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(OPENING_S)
        connection.connect(str(path))
        connection.sendall(_told({"process": process, "adapters": list(adapters)}))
        data, descriptors, _, _ = socket.recv_fds(connection, LINE_BYTES, FILES)
        told = json.loads(data)
        if not descriptors or told.get("files") != len(descriptors):
            for each in descriptors:
                os.close(each)
            raise Conflict(process, str(told.get("why", "nothing was handed over")))
        return descriptors


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < LINE_BYTES:
        chunk = connection.recv(LINE_BYTES)
        if not chunk:
            break
        line += chunk
    return line


def _told(facts: dict[str, object]) -> bytes:
    line = json.dumps(facts).encode()
    if len(line) >= LINE_BYTES:
        raise ValueError(f"a line of {len(line)} bytes, at most {LINE_BYTES - 1}")
    return line + b"\n"

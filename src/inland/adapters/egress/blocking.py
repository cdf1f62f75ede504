"""The door for threads: a name is resolved once, its addresses judged, one of those connected to.

What a connection carries is the caller's: plain bytes, TLS (`open`), HTTP (`http.py`), or what a
library of its own sends through a proxy on this machine (`proxy.py`).
"""

import copy
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Self
from weakref import WeakKeyDictionary

from inland.adapters.egress.door import Origin
from inland.adapters.egress.judging import Allow, Judge
from inland.adapters.egress.uses import Uses

#: (host, port) → addresses. Raises OSError.
ResolveNow = Callable[[str, int], list[str]]


def resolve_now(host: str, port: int) -> list[str]:
    """The addresses of `host`, by the system's resolver. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # an empty label, or one that is too long
        raise socket.gaierror(socket.EAI_NONAME, "no host can have that name") from None
    return [str(one[4][0]) for one in found]


class BlockingDoor:
    """Opens outbound connections to what `allow` allows. Threads may share one."""

    def __init__(
        self,
        allow: Allow,
        *,
        uses: Uses | None = None,
        resolve: ResolveNow = resolve_now,
        context: ssl.SSLContext | None = None,
        connect_s: float = 10.0,
    ) -> None:
        """`context`: how TLS is verified; else against the system's roots."""
        self.uses = Uses() if uses is None else uses
        self.context = ssl.create_default_context() if context is None else context
        self._judge = Judge(allow, self.uses)
        self._resolve = resolve
        self._connect_s = connect_s
        self._standing: WeakKeyDictionary[socket.socket, tuple[str, int, str]] = WeakKeyDictionary()
        self._lock = Lock()

    def trusting(self, context: ssl.SSLContext) -> Self:
        """This very door, its counts and what stands with it, but TLS is verified by `context`."""
        other = copy.copy(self)
        other.context = context
        return other

    def connect_tcp(
        self, host: str, port: int, why: str, timeout_s: float | None = None
    ) -> socket.socket:
        """A connection to one address of `host`; `why` it is opened goes on the books.

        Its own calls wait for ever until told otherwise. Raises Denied: no address may be
        connected to; OSError: none answers, TimeoutError after `timeout_s` over all of them.
        """
        limit_s = self._connect_s if timeout_s is None else min(timeout_s, self._connect_s)
        addresses = self._judge.allowed(host, port, self._resolve(host, port), why)
        found, address = _first(addresses, port, time.monotonic() + limit_s)
        try:
            self._judge.passed(host, port, address, why)
        except BaseException:
            found.close()
            raise
        found.settimeout(None)
        return self.keep(found, host, port, address)

    def open(self, to: Origin, why: str, timeout_s: float | None = None) -> socket.socket:
        """As `connect_tcp`, with TLS for https. Raises ssl.SSLError besides."""
        plain = self.connect_tcp(to.host, to.port, why, timeout_s)
        if not to.tls:
            return plain
        address = str(plain.getpeername()[0])
        try:
            plain.settimeout(self._connect_s if timeout_s is None else timeout_s)
            secured = self.context.wrap_socket(plain, server_hostname=to.host)
        except BaseException:
            plain.close()
            raise
        secured.settimeout(None)
        return self.keep(secured, to.host, to.port, address)

    def pin(self, host: str, port: int, why: str) -> str:
        """The address of `host` to connect to, for a library that takes one and is trusted to use
        no other. Raises Denied, OSError."""
        address = self._judge.allowed(host, port, self._resolve(host, port), why)[0]
        self._judge.passed(host, port, address, why)
        return address

    def keep(self, one: socket.socket, host: str, port: int, address: str) -> socket.socket:
        """Have `recheck` look at a connection that stands; it is returned."""
        with self._lock:
            self._standing[one] = (host, port, address)
        return one

    def recheck(self) -> None:
        """A policy may have closed the way: what would not be connected now ends."""
        with self._lock:
            standing = list(self._standing.items())
        for one, (host, port, address) in standing:
            if not self._judge.may(host, port, address):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def _first(addresses: list[str], port: int, until: float) -> tuple[socket.socket, str]:
    """A connection to the first of `addresses` that answers: those judged, never the name again."""
    last: OSError = ConnectionError("no address")
    for address in addresses:
        left_s = until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"nothing answers on port {port} in time") from last
        try:
            return socket.create_connection((address, port), timeout=left_s), address
        except OSError as error:
            last = error
    raise last

"""The door: a name is resolved once, its addresses judged, and one of those connected to.

Nothing else in Inland opens an outbound TCP connection. TLS is verified against the system's roots.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from inland.adapters.egress.judging import Allow, Judge
from inland.adapters.egress.uses import Uses
from inland.domain.errors import BadInput

P = TypeVar("P", bound=asyncio.Protocol)

#: (host, port) → addresses.
Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an URL points: scheme, host and port, and the path under which an API lies."""

    tls: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def origin(url: str) -> Origin:
    """Parse an http or https URL. Raises BadInput on anything else, credentials included."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInput("url", "not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput("url", "give an http:// or https:// URL with a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadInput("url", "no credentials, query or fragment; a key goes into --key-file")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise BadInput("url", "printable ASCII without spaces only")
    tls = parts.scheme == "https"
    return Origin(tls, parts.hostname, port or (443 if tls else 80), parts.path.rstrip("/"))


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, by the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # an empty label, or one that is too long
        raise socket.gaierror(socket.EAI_NONAME, "no host can have that name") from None
    return [str(one[4][0]) for one in found]


class Door:
    """Opens outbound connections to what `allow` allows, and counts them in `uses`."""

    def __init__(
        self,
        allow: Allow,
        *,
        why: str,
        uses: Uses | None = None,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
        connect_s: float = 10.0,
    ) -> None:
        """`why`: what all of its connections are for."""
        self.uses = Uses() if uses is None else uses
        self._judge = Judge(allow, self.uses)
        self._why = why
        self._resolve = resolve
        self._context = context if context is not None else ssl.create_default_context()
        self._connect_s = connect_s

    async def open(self, to: Origin, protocol: Callable[[], P]) -> tuple[asyncio.Transport, P]:
        """Connect to `to`. Raises Denied: no address allowed; OSError: none answers."""
        async with asyncio.timeout(self._connect_s):
            found = await self._resolve(to.host, to.port)
            addresses = self._judge.allowed(to.host, to.port, found, self._why)
            transport, made = await self._connect(to, protocol, addresses)
        try:
            self._judge.passed(to.host, to.port, _peer(transport), self._why)
        except BaseException:
            transport.abort()
            raise
        return transport, made

    def allows(self, to: Origin, transport: asyncio.BaseTransport) -> bool:
        """Whether a connection that stands would be made now."""
        return bool(self._judge.may(to.host, to.port, _peer(transport)))

    async def _connect(
        self, to: Origin, protocol: Callable[[], P], addresses: list[str]
    ) -> tuple[asyncio.Transport, P]:
        loop = asyncio.get_running_loop()
        last: OSError = ConnectionError("no address")
        for address in addresses:
            try:
                transport, made = await loop.create_connection(
                    protocol,
                    address,  # the address that was judged, never the name again
                    to.port,
                    ssl=self._context if to.tls else None,
                    server_hostname=to.host if to.tls else None,
                )
            except OSError as error:
                last = error
            else:
                return transport, made
        raise last


def _peer(transport: asyncio.BaseTransport) -> str:
    """The address at the other end; none where the connection is gone already."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""

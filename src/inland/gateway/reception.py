"""Where a connection's requests go, as the connection sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from inland.domain.limits import Limits
    from inland.gateway.exchange import Exchange, Incoming
    from inland.gateway.protocol import Connection
    from inland.gateway.sources import Peer


class Desk(Protocol):
    """What takes requests in."""

    limits: Limits
    receiving_bytes: int  # of all bodies being received
    #: Monotonic seconds as of the last beat: near enough for limits of seconds.
    about_now: float

    def peer(self, transport: asyncio.BaseTransport) -> Peer:
        """Who is at its other end."""
        ...

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def admit(self, headers: list[tuple[bytes, bytes]], peer: Peer) -> bytes:
        """The source of a request, before anything else is done with it. Raises Refused."""
        ...

    def before_body(self, incoming: Incoming, length: int | None) -> None:
        """Judge a head before its body is read. Raises Refused."""
        ...

    def handle(self, incoming: Incoming, exchange: Exchange) -> None:
        """Answer it, now or later."""
        ...

    def soon(self, call: Callable[[], None]) -> None:
        """Call it once others have had their turn."""
        ...

"""This factory's own callers, on a unix socket: who is anybody else is let go unheard."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

#: Whether the other end of a connection is none of ours: an engine, say, that was shut in.
IsForeign = Callable[[socket.socket], bool]


class OwnCaller(asyncio.Protocol):
    """One connection until it is known whose it is; from then on the one that `begin` makes."""

    def __init__(self, begin: Callable[[], asyncio.Protocol], is_foreign: IsForeign) -> None:
        self._begin = begin
        self._is_foreign = is_foreign

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        if self._is_foreign(made.get_extra_info("socket")):
            made.abort()
            return
        protocol = self._begin()
        made.set_protocol(protocol)
        protocol.connection_made(made)

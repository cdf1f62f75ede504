"""Connections between TCP and TLS: bounded in time and number.

When there are too many, the source that has most of them loses its oldest: who says nothing makes
room for who is about to. The certificate is chosen as each begins, so that a new one is served by
the next handshake and ends none.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

from inland.domain.limits import Limits
from inland.gateway.doorway import Doorway
from inland.gateway.sources import Peer

#: Connections taken at once before others on the loop have their turn.
_TAKEN_AT_ONCE = 64
#: How long none is taken after the system had no room for one more, in seconds.
_REST_S = 0.25
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_HTTPS = b"https"


class Handshakes:
    """Those of one gateway. `after` makes the protocol of a connection, which calls what it is
    given as soon as it is through: from then on the desk counts it."""

    def __init__(
        self,
        doorway: Doorway,
        limits: Limits,
        context: Callable[[], ssl.SSLContext],
        after: Callable[[Callable[[], None]], asyncio.Protocol],
    ) -> None:
        self._doorway = doorway
        self._limits = limits
        self._context = context
        self._after = after
        self._listeners: set[socket.socket] = set()
        self._open: dict[bytes, dict[asyncio.Task[None], Peer]] = {}
        self.count = 0

    def listen(self, listener: socket.socket) -> None:
        """Take connections from a listening socket until `close`."""
        listener.settimeout(0)
        self._listeners.add(listener)
        asyncio.get_running_loop().add_reader(listener, self._take, listener)

    def close(self) -> None:
        """Take no more, and end those whose handshake is not over."""
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self._listeners.clear()
        for task in [task for held in self._open.values() for task in held]:
            task.cancel()

    def _take(self, listener: socket.socket) -> None:
        for _ in range(_TAKEN_AT_ONCE):
            try:
                made, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._rest(listener)
                    return
                continue  # that caller is gone already
            self._begin(made, address)

    def _rest(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(_REST_S, self._go_on, listener)

    def _go_on(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self.listen(listener)

    def _begin(self, made: socket.socket, address: object) -> None:
        peer = self._doorway.sources.peer(address, made.getsockname(), _HTTPS)
        if not self._doorway.opened(peer):
            self._doorway.sources.closed(peer)
            made.close()
            return
        if self.count >= self._limits.handshakes:
            most = max(self._open.values(), key=len)
            oldest, whose = next(iter(most.items()))
            self._forget(oldest, whose)
            oldest.cancel()
        made.settimeout(0)
        task = asyncio.get_running_loop().create_task(self._shake(made, peer))
        self._open.setdefault(peer.source, {})[task] = peer
        self.count += 1
        task.add_done_callback(lambda done: self._ended(done, made, peer))

    async def _shake(self, made: socket.socket, peer: Peer) -> None:
        task = asyncio.current_task()
        assert task is not None
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._after(lambda: self._forget(task, peer)),
            made,
            ssl=self._context(),
            ssl_handshake_timeout=self._limits.handshake_s,
            ssl_shutdown_timeout=self._limits.stall_s,
        )
        if transport.get_extra_info("ssl_object") is None:
            raise ConnectionAbortedError

    def _ended(self, task: asyncio.Task[None], made: socket.socket, peer: Peer) -> None:
        self._forget(task, peer)
        if task.cancelled() or task.exception() is not None:
            self._doorway.turned_away.add(("handshake_failed",))
        if task.cancelled() and made.fileno() >= 0:
            made.close()  # its task had not begun

    def _forget(self, task: asyncio.Task[None], peer: Peer) -> None:
        """It is over, however it ended; once."""
        held = self._open.get(peer.source, {})
        if held.pop(task, None) is None:
            return
        if not held:
            del self._open[peer.source]
        self.count -= 1
        self._doorway.sources.closed(peer)

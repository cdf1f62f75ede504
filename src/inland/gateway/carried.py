"""What connections were sent for whom, as long as it may still lie in this machine's buffers."""

import fcntl
import socket
import struct
import termios
from asyncio import Transport
from collections.abc import Container
from weakref import WeakKeyDictionary

from inland.gateway.protocol import Connection

_INT = struct.Struct("i")
_NO_LINGERING = struct.pack("ii", 1, 0)


class Carried:
    """Connections, each with the ids of the keys whose answers it may hold."""

    def __init__(self) -> None:
        self._keys: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()

    def add(self, connection: Connection, key: str) -> None:
        """It is sent an answer to that key's request."""
        if holds(connection):
            self._keys.setdefault(connection, set()).add(key)
        else:
            self._keys[connection] = {key}

    def keys(self) -> set[str]:
        """All of them."""
        return {key for held in self._keys.values() for key in held}

    def withhold(self, keys: Container[str]) -> None:
        """What was written for them and has not left does not leave; nor does what follows it."""
        for connection, held in list(self._keys.items()):
            if any(key in keys for key in held) and holds(connection):
                reset(connection)


def holds(connection: Connection) -> bool:
    """Whether something that was written to it has not left this machine, or may have to again."""
    transport = connection.transport
    if transport is None:
        return False
    return transport.get_write_buffer_size() > 0 or _in_kernel(transport) > 0


def reset(connection: Connection) -> None:
    """Close it at once, and let nothing leave that was written to it, of the kernel's either."""
    transport = connection.transport
    if transport is not None:
        under = _socket(transport)
        if under is not None:
            under.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        transport.abort()


def _in_kernel(transport: Transport) -> int:
    under = _socket(transport)
    if under is None:
        return 0
    (count,) = _INT.unpack(fcntl.ioctl(under.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))
    return int(count)


def _socket(transport: Transport) -> socket.socket | None:
    """None where TLS has ended, and whoever is above it was not told yet."""
    found: socket.socket | None = transport.get_extra_info("socket")
    return found

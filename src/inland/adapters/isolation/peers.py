"""Who is at the other end of a unix socket: one of ours, or a child that was shut in.

Landlock does not stop a child from connecting to a socket whose file it could write to. What gives
it away is its network namespace, which it cannot leave.
"""

import struct
from pathlib import Path
from socket import SO_PEERCRED, SOL_SOCKET
from typing import Protocol

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class Connection(Protocol):
    """A connected unix socket, or an event loop's view of one."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def is_shut_in(connection: Connection) -> bool:
    """Whether the peer was shut in. True, too, where that cannot be told: it may be gone."""
    found = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, _CREDENTIALS.size)
    pid, _, _ = _CREDENTIALS.unpack(found)
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    except OSError:
        return True

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
    try:
        return (
            Path(f"/proc/{pid_of(connection)}/ns/net").readlink()
            != Path("/proc/self/ns/net").readlink()
        )
    except OSError:
        return True


def pid_of(connection: Connection) -> int:
    """The process that connected."""
    found = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(found)[0]
    return pid

"""The factory's TCP sockets. Opened here and handed down to gateways, so the callers that wait in
one outlive the gateway that should have answered."""

import errno
import socket

from inland.domain.errors import BadInput, Conflict

LISTEN_ADDRESS = "127.0.0.1"
#: Connections the kernel keeps for a gateway that has not accepted them yet.
BACKLOG = 1024


def prove_free(port: int, address: str = LISTEN_ADDRESS) -> int:
    """The port that was free (`port`, or one picked when it is 0). Raises Conflict when in use.

    SO_REUSEADDR is set because without it the remains of closed connections (TIME_WAIT) refuse a
    restart for a minute; Linux still refuses it while anyone listens (socket(7)). SO_REUSEPORT,
    which would share the port with a stranger, is not.
    """
    with _made(address) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, port, address)
        bound: int = probe.getsockname()[1]
        return bound


def open_listener(port: int, address: str = LISTEN_ADDRESS) -> socket.socket:
    """One gateway's listening socket; all gateways have one on the same port (SO_REUSEPORT)."""
    listener = _made(address)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(listener, port, address)
        listener.settimeout(0)
    except BaseException:
        listener.close()
        raise
    return listener


def _made(address: str) -> socket.socket:
    """`::` takes IPv4 callers in as well."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made


def _bind(sock: socket.socket, port: int, address: str) -> None:
    try:
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"port {port}", "already in use; choose another with --port") from None
        if error.errno == errno.EACCES:
            raise Conflict(f"port {port}", "this user may not listen on it") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise BadInput("bind", f"{address} is no address of this machine") from None
        raise

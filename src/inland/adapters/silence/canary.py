"""What must be counted before a count of nothing means anything: one try for every way out.

Addresses are those kept for documentation (RFC 5737, RFC 3849), and names under `.example`.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress

#: The name server in the view: nobody's, and outside of loopback.
NAMES = "192.0.2.53"
_OUT, _OUT6 = "192.0.2.1", "2001:db8::1"
#: Where name servers are asked that pass questions on.
_HERE, _HERE6 = "127.0.0.53", "::1"
_PORT, _NAMES_PORT = 9, 53
_TRY_S = 1.0
_VSOCK_HOST = 2
#: SIOCGIFVLAN.
_VLAN = 0x8982
_ECHO = b"\x08\x00\xf7\xff\x00\x00\x00\x00"
_ECHO6 = b"\x80\x00\x00\x00\x00\x00\x00\x00"
_UNUSED = 253  # a protocol for experiments, RFC 3692


def _connect(family: int, address: str, port: int = _PORT) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(_TRY_S)
        one.connect((address, port))


def _send(family: int, address: str, port: int = _PORT) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        if family == socket.AF_INET:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.sendto(b"canary", (address, port))


def _raw(family: int, protocol: int, address: str, data: bytes) -> None:
    with socket.socket(family, socket.SOCK_RAW, protocol) as one:
        one.sendto(data, (address, 0))


def _frame() -> None:
    address = socket.inet_aton(_OUT)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20, 0, 0, 64, _UNUSED, 0) + address + address
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as one:
        one.bind(("lo", 0x0800))
        one.send(bytes(12) + b"\x08\x00" + head)


def _vsock() -> None:
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as one:
        one.settimeout(_TRY_S)
        one.connect((_VSOCK_HOST, _PORT))


def _sctp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()


def _vlan() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, _VLAN, bytes(64))


def _setns() -> None:
    import ctypes  # noqa: PLC0415 - of this one try

    network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        ctypes.CDLL(None).setns(network, 0)
    finally:
        os.close(network)


INET, INET6 = socket.AF_INET, socket.AF_INET6
#: With every right in the namespace, outside of the cage: what is counted as frames.
FRAMES: Mapping[str, Callable[[], object]] = {
    "tcp4": lambda: _connect(INET, _OUT),
    "tcp6": lambda: _connect(INET6, _OUT6),
    "udp4": lambda: _send(INET, _OUT),
    "udp6": lambda: _send(INET6, _OUT6),
    "dns4": lambda: _send(INET, NAMES, _NAMES_PORT),
    "dns6": lambda: _send(INET6, _OUT6, _NAMES_PORT),
    "dns-udp-here4": lambda: _send(INET, _HERE, _NAMES_PORT),
    "dns-udp-here6": lambda: _send(INET6, _HERE6, _NAMES_PORT),
    "dns-tcp-here4": lambda: _connect(INET, _HERE, _NAMES_PORT),
    "dns-tcp-here6": lambda: _connect(INET6, _HERE6, _NAMES_PORT),
    "icmp4": lambda: _raw(INET, socket.IPPROTO_ICMP, _OUT, _ECHO),
    "icmp6": lambda: _raw(INET6, socket.IPPROTO_ICMPV6, _OUT6, _ECHO6),
    "raw4": lambda: _raw(INET, _UNUSED, _OUT, b"canary"),
    "raw6": lambda: _raw(INET6, _UNUSED, _OUT6, b"canary"),
    "multicast4": lambda: _send(INET, "224.0.0.251"),
    "multicast6": lambda: _send(INET6, "ff02::fb"),
    "broadcast4": lambda: _send(INET, "255.255.255.255"),
    "packet": _frame,
}
#: Which count a try must raise, where it is not the one of its own name.
COUNTED = {
    "packet": "raw4",
    **{f"dns-{way}-here{version}": f"dns{version}" for way in ("udp", "tcp") for version in "46"},
}
#: In the cage, as a command there would: what is counted as frames,
CAGED: Mapping[str, Callable[[], object]] = {
    "tcp4": lambda: _connect(INET, _OUT),
    "tcp6": lambda: _connect(INET6, _OUT6),
    "udp4": lambda: _send(INET, _OUT),
    "udp6": lambda: _send(INET6, _OUT6),
    "dns4": lambda: socket.gethostbyname("canary.example"),
}
#: and what is refused there, and counted as that.
REFUSED: Mapping[str, Callable[[], object]] = {
    "raw": lambda: _raw(INET, socket.IPPROTO_ICMP, _OUT, _ECHO),
    "packet": _frame,
    "vsock": _vsock,
    "setns": _setns,
    "protocol-132": _sctp,
    "ioctl-8982": _vlan,
}


def sing() -> None:
    """Every try in the cage; that they fail is as it should be."""
    for one in (*CAGED.values(), *REFUSED.values()):
        with suppress(OSError):
            one()

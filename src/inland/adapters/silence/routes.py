"""Every address of the namespace leads to its own loopback: what is sent anywhere is seen there.

Source: rtnetlink(7), `include/uapi/linux/rtnetlink.h`.
"""

import os
import socket
import struct

_NEW_ROUTE, _REQUEST, _ACK, _CREATE, _REPLACE = 24, 1, 4, 0x400, 0x100
_ERROR = 2
_TABLE_LOCAL, _BY_ADMINISTRATOR, _SCOPE_HOST, _KIND_LOCAL = 255, 4, 254, 2
_OUT_BY = 4
_HEAD = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HHI")


def all_to_loopback() -> None:
    """As `ip route add local 0.0.0.0/0 dev lo table local`, and for IPv6. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as routes:
        for family in (socket.AF_INET, socket.AF_INET6):
            routes.sendto(_request(family), (0, 0))
            answered = routes.recv(4096)
            _, kind, _, _, _ = _HEAD.unpack_from(answered)
            (error,) = struct.unpack_from("=i", answered, _HEAD.size)
            if kind != _ERROR or error:
                raise OSError(-error, f"no route to loopback: {os.strerror(-error)}")


def _request(family: int) -> bytes:
    table = (_TABLE_LOCAL, _BY_ADMINISTRATOR, _SCOPE_HOST, _KIND_LOCAL)
    route = _ROUTE.pack(family, 0, 0, 0, *table, 0)
    route += _ATTRIBUTE.pack(_ATTRIBUTE.size, _OUT_BY, socket.if_nametoindex("lo"))
    flags = _REQUEST | _ACK | _CREATE | _REPLACE
    return _HEAD.pack(_HEAD.size + len(route), _NEW_ROUTE, flags, 1, 0) + route

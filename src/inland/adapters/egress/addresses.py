"""Which addresses are inside some network, and so not to be reached by a name from outside."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Serve instance metadata or platform control from addresses that look public.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


def is_inside(text: str) -> bool:
    """Whether `text` is loopback, private, link-local, metadata or otherwise not the open network.

    An IPv6 address that carries an IPv4 one is judged by both. What is no address counts as inside.
    """
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return True
    return any(_is_inside(one) for one in (address, *_carried(address)))


def _is_inside(address: Address) -> bool:
    return not address.is_global or address.is_multicast or address in _METADATA


def _carried(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    teredo = address.teredo or ()
    carried: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *teredo]
    if address in _NAT64:
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in carried if one is not None]

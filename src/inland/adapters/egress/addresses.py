"""Which addresses are inside some network, and so not to be reached by a name from outside."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: What the standard library of some Python version takes for public, each with why it is not:
#: instance metadata and platform control, and IETF protocol assignments (RFC 6890).
_INSIDE_V4 = tuple(map(ipaddress.IPv4Network, ("168.63.129.16/32", "192.0.0.0/24")))
#: The only IPv6 that is routed in public (RFC 4291, section 2.4); RFC 9637 took a part out of it.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_LAST_32_BITS = 0xFFFFFFFF


def is_inside(text: str) -> bool:
    """Whether `text` is loopback, private, link-local, metadata or otherwise not the open network.

    An IPv6 address that carries an IPv4 one is judged by that too. What is no address is inside.
    """
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return _is_inside(address) or any(address in network for network in _INSIDE_V4)
    whole = _wholly_carried(address)
    if whole is not None:
        return is_inside(str(whole))
    part = (address.sixtofour, *(address.teredo or ()))
    public = address in _PUBLIC_V6 and address not in _DOCUMENTATION
    return not public or _is_inside(address) or any(is_inside(str(one)) for one in part if one)


def _is_inside(address: Address) -> bool:
    return not address.is_global or address.is_multicast


def _wholly_carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that is another spelling of `address`."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _LAST_32_BITS)
    return address.ipv4_mapped

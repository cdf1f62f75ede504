"""Under which names a request is taken, and from which web pages.

A browser can be made to call any address under a name its attacker owns (DNS rebinding), and to
send what another site's page wants sent. So a `Host` that is not the factory's is refused, and so
is an `Origin`. No CORS header is ever sent: browsers keep answers from pages of other origins.
"""

import re
from collections.abc import Iterable

from inland.gateway.errors import INVALID, PERMISSION, Refused, bad_request
from inland.gateway.sources import canonical

#: What everybody on the machine itself may call it.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(rb"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,254}))(?::([0-9]{1,5}))?\Z")
_ORIGIN = re.compile(rb"(https?)://([^/?#@\s]{1,300})\Z")
_PORTS = {b"http": 80, b"https": 443}
#: Raw headers that were found good lately, and names that a refusal lists.
_KNOWN, _LISTED = 256, 16

_Authority = tuple[str, int | None]


class Hosts:
    """The names and origins of one factory."""

    def __init__(self, names: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        """`names`: host names in lower case and canonical addresses, beside loopback's."""
        self._names = LOOPBACK_NAMES | frozenset(names)
        self._origins = frozenset(origin.encode() for origin in origins)
        self._known: set[tuple[bytes, str]] = set()

    def knows(self, value: bytes, local: str) -> bool:
        """Whether `check_host` found it good lately."""
        return (value, local) in self._known

    def check_host(self, value: bytes | None, local: str) -> None:
        """`local`: the address the connection came to, which is a name too. Raises Refused."""
        if value is None:
            raise bad_request("A request needs one Host header.")
        if self.knows(value, local):
            return
        name, _ = _authority(value)
        if name not in self._names and name != local:
            raise self._unknown(name, local)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known.add((value, local))

    def check_page(
        self, scheme: bytes, host: bytes, origin: bytes | None, site: bytes, mode: bytes
    ) -> None:
        """`origin`, `site` (Sec-Fetch-Site) and `mode` as a browser sent them. Raises Refused.

        A link that a person follows from elsewhere is no call by a page, and passes.
        """
        if origin is not None:
            given = origin.lower()
            if given not in self._origins and not _is_own(scheme, host, given):
                raise _foreign(given)
        elif site == b"cross-site" and mode != b"navigate":
            raise _foreign(b"")

    def _unknown(self, name: str, local: str) -> Refused:
        shown = sorted(self._names | {local} - {""})
        more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
        return Refused(
            421,
            INVALID,
            "unknown_host",
            f"This factory is not called {name}; it answers to {', '.join(shown[:_LISTED])}{more}."
            " Its operator can add a name: `hosts` under [serve] in factory.toml.",
        )


def _authority(value: bytes) -> _Authority:
    """(name in canonical form, port). Raises Refused."""
    found = _HOST.match(value.lower())
    if found is None:
        raise bad_request("The Host header is no host name with a port.")
    literal, name, port = found.groups()
    number = None if port is None else int(port)
    if number is not None and number > 65_535:
        raise bad_request("The Host header has a port that does not exist.")
    if literal is not None:
        address = canonical(literal.decode())
        if address is None:
            raise bad_request("The Host header has an address that does not exist.")
        return address, number
    return name.decode().removesuffix("."), number


def _is_own(scheme: bytes, host: bytes, origin: bytes) -> bool:
    """Whether a page of `origin` is one of ours: same scheme, name and port as the request's."""
    found = _ORIGIN.match(origin)
    if found is None or found[1] != scheme:
        return False
    try:
        (name, port), (own, own_port) = _authority(found[2]), _authority(host)
    except Refused:
        return False
    usual = _PORTS[scheme]
    return name == own and (port or usual) == (own_port or usual)


def _foreign(origin: bytes) -> Refused:
    """`origin`: empty where the browser named none. What cannot be shown is not."""
    shown = origin.decode("latin-1")
    plain = shown.isascii() and shown.isprintable() and len(shown) <= 300
    whose = f"of {shown} " if shown and plain else ""
    return Refused(
        403,
        PERMISSION,
        "foreign_origin",
        f"Calls by web pages {whose}are refused. The factory's operator can let a site's pages"
        " call: `origins` under [serve] in factory.toml.",
    )

"""Where a request comes from, and what one source may cost: connections, keys that do not work.

A source is an IPv4 address or an IPv6 /64, which one owner can fill at will. Only of a named proxy
is it believed who calls through it: the hop nearest to us that is not itself such a proxy.
"""

import ipaddress
import logging
from collections.abc import Callable, Iterable, Sequence
from math import ceil

import msgspec

from inland.domain.limits import Limits
from inland.gateway.errors import RATE, Refused

_MINUTE_S = 60.0
_ROUNDING_S = 1e-6
#: Hops of a forwarding header that are looked at, from the nearest on.
_HOPS = 32
#: Lines a minute about sources that are refused.
_LINES = 10
_NETWORK_64 = 8
_UNKNOWN = b""
_log = logging.getLogger("inland.gateway")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: The source of those for whom the table has no room, together. No address has this length.
_OTHERS = b"others"


class Peer(msgspec.Struct, frozen=True, gc=False):
    """The other end of a connection. `local`: the address it came to, in canonical form."""

    source: bytes
    is_proxy: bool
    scheme: bytes
    local: str


class Sources:
    """Sources of one gateway, bounded in number.

    Failures are debts that time pays: each costs a source a minute's share, and who owes more than
    a minute is told 429. No debt is forgotten before it is paid, so that nobody can push out his
    own by filling the table: sources that find no room share one budget. Keys that work are served
    at once, whatever others behind the same address do: they are looked at first, and cost less
    than the parsing before them.
    """

    def __init__(self, limits: Limits, now: Callable[[], float], proxies: Iterable[str]) -> None:
        self._limits = limits
        self._now = now
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._share_s = _MINUTE_S / limits.source_failures_per_minute
        self._paid_s: dict[bytes, float] = {}  # when each will have paid its debts
        self._connections: dict[bytes, int] = {}
        self._lines, self._unsaid, self._minute_s = _LINES, 0, now()

    # -- who

    def peer(self, address: object, local: object, scheme: bytes) -> Peer:
        """`address`, `local`: as sockets name them; anything else is an unknown source."""
        found = _parsed(address[0]) if isinstance(address, tuple) else None
        own = _parsed(local[0]) if isinstance(local, tuple) else None
        return Peer(
            _UNKNOWN if found is None else _source(found),
            found is not None and self._is_proxy(found),
            scheme,
            "" if own is None else str(own),
        )

    def behind(self, peer: Peer, forwarded_for: list[bytes], forwarded: list[bytes]) -> bytes:
        """The source of a request that `peer`, a named proxy, passes on.

        Where X-Forwarded-For and Forwarded disagree, one was written by the caller: then, as
        where neither says anything, it is the proxy's own.
        """
        told = {
            self._nearest(peer, hops)
            for hops in (_listed(forwarded_for), _forwarded(forwarded))
            if hops
        }
        return told.pop() if len(told) == 1 else peer.source

    def _nearest(self, peer: Peer, hops: Sequence[str]) -> bytes:
        source = peer.source
        for hop in reversed(hops[-_HOPS:]):
            found = _parsed(hop)
            if found is None:
                break
            source = _source(found)
            if not self._is_proxy(found):
                break
        return source

    def _is_proxy(self, address: _Address) -> bool:
        return any(address in network for network in self._proxies)

    # -- connections

    def opened(self, peer: Peer) -> bool:
        """Count a connection; whether it is within its source's bound. Proxies have none."""
        count = self._connections.get(peer.source, 0) + 1
        self._connections[peer.source] = count
        return peer.is_proxy or count <= self._limits.source_connections

    def closed(self, peer: Peer) -> None:
        """Once for each `opened`."""
        count = self._connections.get(peer.source, 0) - 1
        if count > 0:
            self._connections[peer.source] = count
        else:
            self._connections.pop(peer.source, None)

    # -- failures

    @property
    def owing(self) -> int:
        """Sources with failures that are not forgotten."""
        return len(self._paid_s)

    def wait_s(self, source: bytes) -> int:
        """Seconds until it may fail again; 0: now."""
        debt_s = self._paid_s.get(self._held(source), 0.0) - self._now()
        return max(0, ceil(debt_s + self._share_s - _MINUTE_S - _ROUNDING_S))

    def failed(self, source: bytes) -> bool:
        """A key that does not work came from it; whether that was one too many."""
        now, held = self._now(), self._held(source)
        paid_s = max(self._paid_s.get(held, now), now)
        if paid_s + self._share_s > now + _MINUTE_S + _ROUNDING_S:
            return True
        self._paid_s[held] = paid_s + self._share_s
        if self.wait_s(source):
            self._tell(source)
        return False

    def refusal(self, source: bytes) -> Refused:
        """What is told to a source that has failed too often."""
        return Refused(
            429,
            RATE,
            "too_many_failures",
            "Too many requests from your address came with a key that does not work. One that"
            " works is served at once.",
            retry_after_s=max(1, self.wait_s(source)),
        )

    def sweep(self) -> None:
        """Once a second: forget what is paid."""
        now = self._now()
        for source in [one for one, paid_s in self._paid_s.items() if paid_s <= now]:
            del self._paid_s[source]
        if now - self._minute_s >= _MINUTE_S:
            if self._unsaid:
                _log.warning("more sources were refused", extra={"sources": self._unsaid})
            self._lines, self._unsaid, self._minute_s = _LINES, 0, now

    def _held(self, source: bytes) -> bytes:
        """Under what the table has a source."""
        if source in self._paid_s or len(self._paid_s) < self._limits.sources:
            return source
        return _OTHERS

    def _tell(self, source: bytes) -> None:
        """Say it in the log, where alone a source is named."""
        if self._lines:
            self._lines -= 1
            _log.warning("a source fails too often", extra={"source": shown(source)})
        else:
            self._unsaid += 1


def canonical(text: str) -> str | None:
    """An address as it is compared: mapped IPv4 as IPv4; None where it is none."""
    found = _parsed(text)
    return None if found is None else str(found)


def shown(source: bytes) -> str:
    """A source for people."""
    if len(source) == 4:
        return str(ipaddress.IPv4Address(source))
    if len(source) == _NETWORK_64:
        return f"{ipaddress.IPv6Address(source + bytes(8))}/64"
    return "unknown"


def _parsed(text: object) -> _Address | None:
    if not isinstance(text, str):
        return None
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return found if mapped is None else mapped


def _source(address: _Address) -> bytes:
    return address.packed if address.version == 4 else address.packed[:_NETWORK_64]


def _listed(values: list[bytes]) -> list[str]:
    """The hops of X-Forwarded-For."""
    return [_plain(hop) for hop in b",".join(values).decode("latin-1").split(",")] if values else []


def _forwarded(values: list[bytes]) -> list[str]:
    """The `for` of each hop of Forwarded (RFC 7239); an empty text where there is none."""
    if not values:
        return []
    return [_for(hop) for hop in b",".join(values).decode("latin-1").split(",")]


def _for(hop: str) -> str:
    for pair in hop.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return _plain(value.strip().strip('"'))
    return ""


def _plain(hop: str) -> str:
    """An address without its port and brackets."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop

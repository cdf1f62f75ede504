"""What stands before every request: its host, its page, its source. Others get nothing done."""

from inland.gateway.errors import Refused, bad_request
from inland.gateway.hosts import Hosts
from inland.gateway.metrics import Counter
from inland.gateway.sources import Peer, Sources

_ONCE = frozenset({b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode"})
_HOPS = frozenset({b"x-forwarded-for", b"forwarded"})
_NOTED = _ONCE | _HOPS


class Doorway:
    """Names, origins and proxies of one factory, and the sources that its gateway knows."""

    def __init__(self, hosts: Hosts, sources: Sources, turned_away: Counter) -> None:
        self.sources = sources
        self.turned_away = turned_away
        self._hosts = hosts

    def opened(self, peer: Peer) -> bool:
        """Count a connection, which is to be told to `sources` when it closes; whether its source
        may have it."""
        few = self.sources.opened(peer)
        if not few:
            self.turned_away.add(("too_many_connections",))
        return few

    def admit(self, headers: list[tuple[bytes, bytes]], peer: Peer) -> bytes:
        """The source of a request with these headers (names in lower case). Raises Refused."""
        noted = [pair for pair in headers if pair[0] in _NOTED]
        name, value = noted[0] if len(noted) == 1 else (b"", b"")
        if name == b"host" and self._hosts.knows(value, peer.local):
            return peer.source  # as nearly always
        return self._look(noted, peer)

    def _look(self, noted: list[tuple[bytes, bytes]], peer: Peer) -> bytes:
        said: dict[bytes, bytes] = {}
        hops: dict[bytes, list[bytes]] = {}
        for name, value in noted:
            if name in _HOPS:
                hops.setdefault(name, []).append(value)
            elif name in said:
                raise bad_request(f"Two {name.decode()} headers.")
            else:
                said[name] = value
        try:
            self._judge(said, peer)
        except Refused as refused:
            self.turned_away.add((refused.code or "",))
            raise
        if not hops or not peer.is_proxy:
            return peer.source
        return self.sources.behind(
            peer, hops.get(b"x-forwarded-for", []), hops.get(b"forwarded", [])
        )

    def _judge(self, said: dict[bytes, bytes], peer: Peer) -> None:
        host = said.get(b"host")
        self._hosts.check_host(host, peer.local)
        if len(said) > 1 and host is not None:
            site, mode = said.get(b"sec-fetch-site", b""), said.get(b"sec-fetch-mode", b"")
            self._hosts.check_page(peer.scheme, host, said.get(b"origin"), site, mode)

    def check(self, source: bytes) -> None:
        """Raise Refused where a source without a key that works has failed too often.

        Control counts by what it answers (`Passage`); this spares it the next question.
        """
        if self.sources.wait_s(source):
            raise self._too_often(source)

    def failed(self, source: bytes, refused: Refused) -> Refused:
        """What the bearer of a key that does not work is told: `refused`, or to wait."""
        return self._too_often(source) if self.sources.failed(source) else refused

    def _too_often(self, source: bytes) -> Refused:
        refusal = self.sources.refusal(source)
        self.turned_away.add((refusal.code or "",))
        return refusal

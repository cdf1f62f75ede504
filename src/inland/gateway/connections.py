"""Who is connected to one gateway, held to its bounds: in all, for each source, for each tenant."""

from collections import Counter
from collections.abc import Iterator

from inland.domain.limits import Limits
from inland.gateway.doorway import Doorway
from inland.gateway.errors import RATE, Refused, unavailable
from inland.gateway.protocol import Connection


class Connections:
    """Open ones. One beyond the limit is told so, as long as not too many are being told."""

    def __init__(self, limits: Limits, doorway: Doorway) -> None:
        self._limits = limits
        self._doorway = doorway
        self._open: set[Connection] = set()
        self._refused: set[Connection] = set()
        self._tenants: dict[Connection, str] = {}
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter([*self._open, *self._refused])

    def opened(self, connection: Connection) -> None:
        """Count it in, or turn it away."""
        few = self._doorway.opened(connection.peer)
        if few and len(self._open) < self._limits.connections:
            self._open.add(connection)
        elif len(self._refused) < self._limits.connections_refused:
            self._refused.add(connection)
            whose = "" if few else " from your address"
            text = f"Too many connections{whose} are open."
            connection.refuse(unavailable("too_many_connections", text))
        else:
            connection.abort()

    def closed(self, connection: Connection) -> None:
        """It is gone."""
        self._open.discard(connection)
        self._refused.discard(connection)
        self._doorway.sources.closed(connection.peer)
        self._let_go(connection)

    def hold(self, connection: Connection, tenant: str) -> None:
        """Its last request is `tenant`'s. Raises Refused where that has too many."""
        if self._tenants.get(connection) == tenant:
            return
        self._let_go(connection)
        if self._held[tenant] >= self._limits.connections_per_tenant:
            text = "Too many connections of this tenant are open; close some."
            raise Refused(429, RATE, "too_many_connections", text, retry_after_s=1)
        self._tenants[connection] = tenant
        self._held[tenant] += 1

    def _let_go(self, connection: Connection) -> None:
        tenant = self._tenants.pop(connection, None)
        if tenant is not None:
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]

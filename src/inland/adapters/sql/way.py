"""The way to a PostgreSQL: the one door judges its addresses, and libpq connects to those alone.

A unix socket is of this machine and takes no door. libpq resolves no name here, asks no directory
and no ticket server, whatever the environment says.
"""

import os
import socket
from typing import TYPE_CHECKING, Any

from inland.adapters.egress.blocking import BlockingDoor
from inland.domain.errors import BadInput, Busy

if TYPE_CHECKING:
    from sqlalchemy import Engine

WHY = "database"
PORT = 5432
_RETRY_AFTER_S = 5
#: Of libpq's, what would choose another address, or ask another server than the database's.
REFUSED = frozenset(
    (
        "hostaddr service servicefile gssencmode gssdelegation gsslib krbsrvname require_auth "
        "oauth_issuer oauth_client_id oauth_client_secret oauth_scope load_balance_hosts"
    ).split()
)
_ALONE = {"gssencmode": "disable", "require_auth": "!gss,!sspi,!oauth"}
_KEPT = "way"


class Way:
    """Through `door`: each connection is a decision, counted, and ended by its recheck."""

    def __init__(self, door: BlockingDoor) -> None:
        self.door = door

    def lead(self, engine: "Engine") -> None:
        """From here on the engine connects this way."""
        from sqlalchemy import event  # noqa: PLC0415 - a gateway knows ways, and has no database

        event.listen(engine, "do_connect", self._judge)
        event.listen(engine, "connect", self._keep)
        event.listen(engine, "close", self._forget)

    def _judge(self, _dialect: Any, _record: Any, _args: Any, told: dict[str, Any]) -> None:
        """Tell libpq where to. Raises Denied, BadInput, and Busy where a name has no address."""
        endpoints = endpoints_of(told)
        try:
            addresses = [
                self.door.pin(host, port, WHY) if is_network(host) else ""
                for host, port in endpoints
            ]
        except OSError as error:
            raise Busy(f"the database cannot be used: {error}", _RETRY_AFTER_S) from None
        told |= {"hostaddr": ",".join(addresses), **_ALONE}

    def _keep(self, connection: Any, record: Any) -> None:
        address = connection.info.hostaddr
        if not address:
            return
        # libpq closes its own descriptor: this one is for the door, which ends what it may not keep
        held = socket.socket(fileno=os.dup(connection.fileno()))
        record.info[_KEPT] = self.door.keep(
            held, connection.info.host, connection.info.port, address
        )

    def _forget(self, _connection: Any, record: Any) -> None:
        held: socket.socket | None = record.info.pop(_KEPT, None)
        if held is not None:
            held.close()


def endpoints_of(told: dict[str, Any]) -> list[tuple[str, int]]:
    """Host and port of each server that libpq is told of. Raises BadInput."""
    if refused := sorted(REFUSED & told.keys()):
        raise BadInput("database.url", f"says {', '.join(refused)}, which is not its to say")
    hosts = str(told.get("host") or "").split(",")
    ports = [int(one or PORT) for one in str(told.get("port") or "").split(",")]
    if not all(hosts):
        raise BadInput("database.url", "name the server's host, or the folder of its socket")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise BadInput("database.url", f"names {len(hosts)} hosts and {len(ports)} ports")
    return list(zip(hosts, ports, strict=True))


def is_network(host: str) -> bool:
    """Whether a host is one: a folder or an abstract name is of a unix socket."""
    return not host.startswith(("/", "@"))

"""`ports.keys` on an OpenBao server, in its transit engine: no key, and nothing wrapped, lies here.

An asset's key is made by the server each time it is asked for: HMAC-SHA-256 under its tenant's
transit key, and of that under the asset's own; neither leaves it. Deleting the asset's is final;
while the tenant's is soft-deleted the server itself refuses all that is the tenant's.
"""

import base64
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from inland.adapters.egress.calls import Reply
from inland.adapters.vault.embedded_keys import ASSET
from inland.adapters.vault.marks import Mark
from inland.adapters.vault.rest import Rest, Resting
from inland.domain.errors import Denied
from inland.domain.ids import is_name
from inland.ports.keys import KEY_BYTES, KeyGone, KeyName, KeysAway, KeyWithdrawn

#: For how long an opened key is remembered, in seconds: for the parts of one reading.
MEMORY_S = 0.5
_REMEMBERED = 1024
#: What of an error people are told.
_WHY_CHARS = 200
#: What the mark's transit key is called, before a full stop and the mark.
_MARK = "factory"
_BOUND = "inland asset key v1"
_HMAC = re.compile(r"vault:v1:([A-Za-z0-9+/]{43}=)\Z")
_NEW = {"type": "hmac", "key_size": KEY_BYTES}


class Caller(Protocol):
    """`adapters.egress.calls.Calls`."""

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str], /
    ) -> Reply: ...


class OpenBaoKeys:
    """The keys below `mount` of one server. `token`: asked anew each call; raises KeysAway."""

    def __init__(
        self,
        calls: Caller,
        token: Callable[[], str],
        mount: str = "transit",
        monotonic: Callable[[], float] = time.monotonic,
        rest: Rest | None = None,
        mark: Mark | None = None,
    ) -> None:
        """`mark`: what this factory left there; without one any server is taken for its own."""
        self._calls = calls
        self._token = token
        self._mount = mount
        self._monotonic = monotonic
        self._rest = Rest() if rest is None else rest
        self._mark = mark
        self._known_until = 0.0
        self._lock = threading.Lock()
        self._opened: dict[KeyName, tuple[float, bytes]] = {}
        self._forgotten = 0

    def make(self, name: KeyName) -> bytes:
        """Two threads that make one key make one: the server creates what is not there."""
        self._demand_it()
        self._leave_mark()
        if self._need(_tenant(name.tenant))["soft_deleted"]:
            raise KeyWithdrawn(name.tenant)
        self._need(_asset(name))
        return self.open(name)

    def open(self, name: KeyName) -> bytes:
        with self._lock:
            until, key = self._opened.get(name, (0.0, b""))
            seen = self._forgotten
        if self._monotonic() < until:
            return key
        first = self._hmac(_tenant(name.tenant), f"{_BOUND}\0{name.asset}".encode(), name)
        key = self._hmac(_asset(name), first, name)
        with self._lock:
            if seen == self._forgotten:
                if len(self._opened) >= _REMEMBERED:
                    self._opened.clear()
                self._opened[name] = (self._monotonic() + MEMORY_S, key)
        return key

    def exists(self, name: KeyName) -> bool:
        self._demand_it()
        return self._about(_asset(name)) is not None

    def destroy(self, name: KeyName) -> None:
        self._demand_it()
        key = _asset(name)
        if self._about(key) is not None:
            self._ask("POST", f"keys/{key}/config", {"deletion_allowed": True})
            self._ask("DELETE", f"keys/{key}")
            if self._about(key) is not None:
                raise KeysAway(f"the server did not delete {key}")
        self._forget()

    def withdraw(self, tenant: str) -> None:
        self._demand_it()
        key = _tenant(tenant)
        self._need(key)
        self._ask("DELETE", f"keys/{key}/soft-delete")
        if not (self._about(key) or {}).get("soft_deleted"):
            raise KeysAway(f"the server did not soft-delete {key}")
        self._forget()

    def give_back(self, tenant: str) -> None:
        self._demand_it()
        key = _tenant(tenant)
        about = self._about(key)
        if about is not None and about["soft_deleted"]:
            self._demand(self._ask("POST", f"keys/{key}/soft-delete-restore"))

    def withdrawn(self) -> frozenset[str]:
        self._demand_it()
        tenants = [key.partition(".")[2] for key in self._listed() if key.startswith("tenant.")]
        return frozenset(one for one in tenants if self._is_withdrawn(one))

    def names(self) -> Iterator[KeyName]:
        self._demand_it()
        for key in self._listed():
            kind, _, rest = key.partition(".")
            asset, _, tenant = rest.partition(".")
            if kind == "asset" and ASSET.match(asset) and is_name(tenant):
                yield KeyName(tenant, asset)

    def demand(self) -> None:
        self._listed()
        self._known_until = 0.0
        self._demand_it()

    def _demand_it(self) -> None:
        """Raises KeysAway where what this factory left there is not there: it is another server,
        or another mount, and whatever it says of keys is about none of ours."""
        mark = None if self._mark is None else self._mark.known()
        if self._mark is None or mark is None or self._monotonic() < self._known_until:
            return
        if not mark or self._about(f"{_MARK}.{mark}") is None:
            where = f"mount {self._mount} of the key server"
            told = f"{where} does not keep this factory's keys: its mark is not there"
            raise KeysAway(f"{told}. Name the right server and mount; {self._mark.remedy}")
        self._known_until = self._monotonic() + MEMORY_S

    def _leave_mark(self) -> None:
        """Before the first key that is made there."""
        if self._mark is not None and self._mark.known() is None:
            mark = self._mark.made()
            self._need(f"{_MARK}.{mark}")
            self._mark.remember(mark)

    def _is_withdrawn(self, tenant: str) -> bool:
        about = self._about(_tenant(tenant))
        return about is not None and bool(about["soft_deleted"])

    def _need(self, key: str) -> dict[str, Any]:
        """A transit key, made where there is none; what the server says of it."""
        return self._said(self._demand(self._ask("POST", f"keys/{key}", _NEW)))

    def _about(self, key: str) -> dict[str, Any] | None:
        """What the server says of a transit key; None where there is none."""
        reply = self._ask("GET", f"keys/{key}")
        return None if _is_absent(reply) else self._said(self._demand(reply))

    def _listed(self) -> list[str]:
        reply = self._ask("LIST", "keys")
        if _is_absent(reply):
            return []
        keys = _data(self._demand(reply)).get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise KeysAway("the server lists no keys")
        return sorted(keys)

    def _hmac(self, key: str, of: bytes, name: KeyName) -> bytes:
        body = {"input": base64.b64encode(of).decode(), "key_version": 1}
        reply = self._ask("POST", f"hmac/{key}/sha2-256", body)
        if reply.status == 400:
            about = self._about(key)
            if about is None:
                self._demand_it()
                raise KeyGone(name)
            if about["soft_deleted"]:
                raise KeyWithdrawn(name.tenant)
        found = _HMAC.match(str(_data(self._demand(reply)).get("hmac")))
        if found is None:
            raise KeysAway("the server answered no HMAC")
        return base64.b64decode(found[1])

    def _said(self, reply: Reply) -> dict[str, Any]:
        said = _data(reply)
        if not isinstance(said.get("soft_deleted"), bool):
            raise KeysAway("the server does not say whether a key is soft-deleted")
        return said

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        headers = {"x-vault-token": self._token(), "x-vault-request": "true"}
        try:
            with self._rest.asking(OSError):
                return self._calls.call(method, f"/v1/{self._mount}/{path}", body, headers)
        except (OSError, Denied, Resting) as error:
            raise KeysAway(_line(error) or type(error).__name__) from None

    def _demand(self, reply: Reply) -> Reply:
        """Raises KeysAway for whatever is no success."""
        if not 200 <= reply.status < 300:
            raise KeysAway(f"the key server says {reply.status}: {_errors(reply)}")
        return reply

    def _forget(self) -> None:
        with self._lock:
            self._forgotten += 1
            self._opened.clear()


def _asset(name: KeyName) -> str:
    assert is_name(name.tenant), name
    assert ASSET.match(name.asset), name
    return f"asset.{name.asset}.{name.tenant}"


def _tenant(tenant: str) -> str:
    assert is_name(tenant), tenant
    return f"tenant.{tenant}"


def _is_absent(reply: Reply) -> bool:
    """The key, not the engine or the path: of those it says that there is none."""
    try:
        return reply.status == 404 and reply.json() == {"errors": []}
    except ValueError:
        return False


def _data(reply: Reply) -> dict[str, Any]:
    try:
        data = reply.json()["data"]
    except (ValueError, KeyError):
        data = None
    if not isinstance(data, dict):
        raise KeysAway("the key server answers nonsense")
    return data


def _errors(reply: Reply) -> str:
    try:
        return _line("; ".join(map(str, reply.json()["errors"])))
    except (ValueError, KeyError, TypeError):
        return "nothing it could be asked about"


def _line(why: object) -> str:
    return " ".join(str(why).split())[:_WHY_CHARS]

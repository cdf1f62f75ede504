"""Who is calling: the Authorization header's key, found by its id, compared in constant time."""

from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest

from inland.domain.api_keys import split_api_key
from inland.domain.plant import Key, Role
from inland.domain.snapshot import Snapshot
from inland.gateway.errors import ended_key, not_for_models, suspended, unknown_key, withdrawn

_SCHEME = b"bearer "
_NOBODY = "0" * 64
_TENANT_ROLES = frozenset({Role.TENANT_ADMIN, Role.MEMBER})


class Proofs:
    """Keys that were proved and found usable under one snapshot, by what showed them (`shown`).

    Only hashes are looked up, so how long that takes says nothing of a secret. Bounded: beyond
    `most`, proved anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: dict[bytes, Key] = {}

    def recall(self, shown: bytes, unix_us: Callable[[], int]) -> Key | None:
        """The key that was proved with the same header, unless it may have expired since."""
        key = self._keys.get(shown)
        if key is None or key.expires_unix_s is None:
            return key
        return key if unix_us() < key.expires_unix_s * 1_000_000 else None

    def keep(self, shown: bytes, key: Key) -> None:
        """It was proved, and passed `check`."""
        if len(self._keys) >= self._most:
            self._keys.clear()
        self._keys[shown] = key


def shown(authorization: bytes | None) -> bytes:
    """What a header is known by that may show a key: its hash."""
    return sha256(authorization or b"").digest()


def prove(snapshot: Snapshot, authorization: bytes | None) -> Key:
    """The key whose secret the caller has, live or not. Raises Refused.

    Unknown id and wrong secret do the same work and get the same text.
    """
    key_id, secret = _parse(authorization)
    key = snapshot.keys.get(key_id)
    expected = key.secret_sha256 if key is not None else _NOBODY
    same = compare_digest(sha256(secret).hexdigest(), expected)
    if key is None or not same:
        raise unknown_key()
    return key


def check(snapshot: Snapshot, key: Key, now_unix_s: int) -> None:
    """Whether a key that was proved may still be used. Raises Refused."""
    if key.revoked:
        raise ended_key("revoked")
    if key.expires_unix_s is not None and now_unix_s >= key.expires_unix_s:
        raise ended_key("expired")
    if key.role not in _TENANT_ROLES or key.tenant is None:
        raise not_for_models(key.role)
    tenant = snapshot.tenants.get(key.tenant)
    if tenant is None:
        raise unknown_key()
    if tenant.suspended:
        raise suspended(tenant.id)
    if tenant.withdrawn:
        raise withdrawn(tenant.id)


def _parse(authorization: bytes | None) -> tuple[str, bytes]:
    """(id, secret); both empty where the header is not `Bearer` and a key."""
    if authorization is None or authorization[:7].lower() != _SCHEME:
        return "", b""
    parts = split_api_key(authorization[7:].decode("latin-1"))
    return (parts[0], parts[1].encode()) if parts is not None else ("", b"")

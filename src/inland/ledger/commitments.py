"""Commitments to texts that records never hold: HMACs under a key of each record's own.

Whoever is given one record's key can check that record's texts and no other's. On the token path:
a key is scheduled once, a tenant's for all of its records and a record's for all of its texts.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

RECORD_KEY_BYTES = 32
_SHA256 = SHA256()


class RecordKeys:
    """Makes the keys of one tenant's records."""

    __slots__ = ("_keyed",)

    def __init__(self, tenant_key: bytes) -> None:
        self._keyed = HMAC(tenant_key, _SHA256)

    def key(self, record_id: str) -> bytes:
        """32 bytes: HMAC-SHA256(tenant_key, "inland record key v1" 00 id)."""
        keyed = self._keyed.copy()
        keyed.update(b"inland record key v1\0" + record_id.encode())
        return keyed.finalize()

    def commitments(self, record_id: str) -> "Commitments":
        """What commits to the texts of that record."""
        return Commitments(self.key(record_id))


class Commitments:
    """Commits to the texts of one record, in 64 hex digits each."""

    __slots__ = ("_keyed",)

    def __init__(self, record_key: bytes) -> None:
        self._keyed = HMAC(record_key, _SHA256)

    def input(self, body: bytes) -> str:
        """To a request's body exactly as received."""
        keyed = self._keyed.copy()
        keyed.update(b"input\0" + body)
        return keyed.finalize().hex()

    def output(self, choice: int, text: str) -> str:
        """To the text of answer `choice`, counted from 0."""
        keyed = self._keyed.copy()
        keyed.update(b"output\0%d\0%b" % (choice, text.encode()))
        return keyed.finalize().hex()


def record_key(tenant_key: bytes, record_id: str) -> bytes:
    """The key of one record."""
    return RecordKeys(tenant_key).key(record_id)


def commit_input(record_key: bytes, body: bytes) -> str:
    """As `Commitments.input`, under a record's key."""
    return Commitments(record_key).input(body)


def commit_output(record_key: bytes, choice: int, text: str) -> str:
    """As `Commitments.output`, under a record's key."""
    return Commitments(record_key).output(choice, text)

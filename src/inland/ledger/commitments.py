"""Commitments to texts that records never hold: HMACs under a key of each record's own.

Whoever is given one record's key can check that record's texts and no other's. On the token path.
"""

from hmac import digest

RECORD_KEY_BYTES = 32


def record_key(tenant_key: bytes, record_id: str) -> bytes:
    """The 32-byte key of one record: HMAC-SHA256(tenant_key, "inland record key v1" 00 id)."""
    return digest(tenant_key, b"inland record key v1\0" + record_id.encode(), "sha256")


def commit_input(record_key: bytes, body: bytes) -> str:
    """64 hex digits that commit to a request's body exactly as received."""
    return digest(record_key, b"input\0" + body, "sha256").hex()


def commit_output(record_key: bytes, choice: int, text: str) -> str:
    """64 hex digits that commit to the text of answer `choice`, counted from 0."""
    return digest(record_key, b"output\0%d\0" % choice + text.encode(), "sha256").hex()

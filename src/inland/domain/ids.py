"""Names and random ids. Randomness and time are arguments: nothing here reads a clock."""

import re
from typing import NewType

TenantId = NewType("TenantId", str)
KeyId = NewType("KeyId", str)
DeploymentName = NewType("DeploymentName", str)
ModelId = NewType("ModelId", str)
ReplicaId = NewType("ReplicaId", str)
PlaceId = NewType("PlaceId", str)
WriterId = NewType("WriterId", str)
RecordId = NewType("RecordId", str)

#: Tenants, deployments and models are named like DNS labels, dots and underscores allowed inside.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?\Z")

#: Unix milliseconds fit in 48 bits until the year 10889 (RFC 9562, section 5.7).
_UNIX_MS_LIMIT = 1 << 48
UUID7_RANDOM_BYTES = 10


def is_name(text: str) -> bool:
    """Whether `text` may name a tenant, a deployment or a model."""
    return NAME.match(text) is not None


def uuid7(unix_ms: int, random: bytes) -> str:
    """A UUIDv7 that says `unix_ms` and nothing else; `random` is 10 fresh random bytes.

    Source: RFC 9562, section 5.7.
    """
    assert 0 <= unix_ms < _UNIX_MS_LIMIT
    assert len(random) == UUID7_RANDOM_BYTES
    bits = unix_ms << 80 | int.from_bytes(random, "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

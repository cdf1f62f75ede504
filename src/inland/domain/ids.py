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

#: Characters of a name.
NAME_CHARS = 63
#: Tenants, deployments and models are named like DNS labels, dots and underscores allowed inside.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?\Z")

#: Unix milliseconds fit in 48 bits until the year 10889 (RFC 9562, section 5.7).
_UNIX_MS_LIMIT = 1 << 48
UUID7_RANDOM_BYTES = 10
#: A hex digit with its two high bits set to the variant (RFC 9562, section 4.1).
_VARIANT = {f"{digit:x}": f"{8 | digit & 3:x}" for digit in range(16)}


def is_name(text: str) -> bool:
    """Whether `text` may name a tenant, a deployment or a model."""
    return NAME.match(text) is not None


def uuid7(unix_ms: int, random: bytes) -> str:
    """A UUIDv7 that says `unix_ms` and nothing else; `random` is 10 fresh random bytes.

    Source: RFC 9562, section 5.7.
    """
    assert 0 <= unix_ms < _UNIX_MS_LIMIT
    assert len(random) == UUID7_RANDOM_BYTES
    text = f"{unix_ms:012x}{random.hex()}"
    variant = _VARIANT[text[16]]
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

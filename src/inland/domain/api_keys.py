"""API keys as text: `inl_<id>_<secret>`. The id finds the key, the secret proves it."""

import base64
import re
from dataclasses import dataclass, field
from hashlib import sha256

ID_RANDOM_BYTES = 10
SECRET_RANDOM_BYTES = 30

_KEY = re.compile(r"inl_([a-z2-7]{16})_([a-z2-7]{48})\Z")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its holder has it. `text` is shown once; only `secret_sha256` is kept."""

    id: str
    text: str = field(repr=False)
    secret_sha256: str


def new_api_key(random: bytes) -> ApiKey:
    """A key made of 40 fresh random bytes: 10 for its id, 30 for its secret."""
    assert len(random) == ID_RANDOM_BYTES + SECRET_RANDOM_BYTES
    key_id = _base32(random[:ID_RANDOM_BYTES])
    secret = _base32(random[ID_RANDOM_BYTES:])
    return ApiKey(key_id, f"inl_{key_id}_{secret}", secret_sha256(secret))


def split_api_key(text: str) -> tuple[str, str] | None:
    """The id and the secret in `text`; None when it is not a key."""
    found = _KEY.match(text)
    return (found[1], found[2]) if found else None


def secret_sha256(secret: str) -> str:
    """What is kept of a secret: the SHA-256 of its ASCII text, 64 hex digits."""
    return sha256(secret.encode("ascii")).hexdigest()


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").lower()

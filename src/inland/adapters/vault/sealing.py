"""Sealed bytes: AES-256-GCM under a key, with a random nonce, bound to what they are for.

    version (1 byte, 01) || nonce (12) || ciphertext || tag (16)

The associated data is a purpose and names, a zero byte after each. docs/formats.md has the forms.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from inland.ports.clock import Entropy

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
_HEAD_BYTES = len(VERSION) + NONCE_BYTES
#: How much longer than the plaintext it is.
OVERHEAD_BYTES = _HEAD_BYTES + TAG_BYTES


def seal(key: bytes, bound: bytes, data: bytes | memoryview, entropy: Entropy) -> bytes:
    """Seal `data` for what `bound` says (`bound_to`)."""
    return bytes(seal_large(key, bound, data, entropy))


def seal_large(key: bytes, bound: bytes, data: bytes | memoryview, entropy: Entropy) -> bytearray:
    """The same, copied no further."""
    sealed = bytearray(OVERHEAD_BYTES + len(data))
    nonce = entropy(NONCE_BYTES)
    sealed[:_HEAD_BYTES] = VERSION + nonce
    AESGCM(key).encrypt_into(nonce, data, bound, memoryview(sealed)[_HEAD_BYTES:])
    return sealed


def unseal(key: bytes, bound: bytes, sealed: bytes) -> bytes | None:
    """What was sealed; None where it is not that, under that key, for that."""
    if len(sealed) < OVERHEAD_BYTES or sealed[:1] != VERSION:
        return None
    view = memoryview(sealed)
    try:
        return AESGCM(key).decrypt(view[1:_HEAD_BYTES], view[_HEAD_BYTES:], bound)
    except InvalidTag:
        return None


def bound_to(purpose: str, *names: str) -> bytes:
    """The associated data: none of these holds a zero byte, so no two rows of names are one."""
    assert all("\0" not in name for name in names)
    return "".join(f"{part}\0" for part in (purpose, *names)).encode()

"""Sealed bytes: AES-256-GCM under a key, with a random nonce, bound to what they are for.

    version (1 byte, 01) || nonce (12) || ciphertext || tag (16)

The associated data is a purpose and names, a zero byte after each. docs/formats.md has the forms.
"""

from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from inland.ports.clock import Entropy

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16
_HEAD_BYTES = len(VERSION) + NONCE_BYTES
#: How much longer than the plaintext it is.
OVERHEAD_BYTES = _HEAD_BYTES + TAG_BYTES


def seal(key: bytes, bound: bytes, data: bytes, entropy: Entropy) -> bytes:
    """Seal `data` for what `bound` says (`bound_to`)."""
    nonce = entropy(NONCE_BYTES)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, data, bound)


def seal_pieces(
    key: bytes,
    bound: bytes,
    pieces: Iterable[bytes | memoryview],
    entropy: Entropy,
    sealed: memoryview,
) -> None:
    """The same of `pieces`, each sealed as it comes, into `sealed`, which has just room for it."""
    nonce, at = entropy(NONCE_BYTES), _HEAD_BYTES
    sealed[:at] = VERSION + nonce
    sealing = Cipher(AES(key), GCM(nonce)).encryptor()
    sealing.authenticate_additional_data(bound)
    for piece in pieces:
        at += sealing.update_into(piece, sealed[at:])
    sealing.finalize()
    sealed[at:] = sealing.tag


def unseal(key: bytes, bound: bytes, sealed: bytes) -> bytes | None:
    """What was sealed; None where it is not that, under that key, for that."""
    if len(sealed) < OVERHEAD_BYTES or sealed[:1] != VERSION:
        return None
    view = memoryview(sealed)
    try:
        return AESGCM(key).decrypt(view[1:_HEAD_BYTES], view[_HEAD_BYTES:], bound)
    except InvalidTag:
        return None


def unseal_there(key: bytes, bound: bytes, sealed: memoryview) -> memoryview | None:
    """The same, in its own place: that memory is the caller's no more where it is None."""
    if len(sealed) < OVERHEAD_BYTES or sealed[:1] != VERSION:
        return None
    data = sealed[_HEAD_BYTES:-TAG_BYTES]
    mode = GCM(bytes(sealed[1:_HEAD_BYTES]), bytes(sealed[-TAG_BYTES:]))
    opening = Cipher(AES(key), mode).decryptor()
    opening.authenticate_additional_data(bound)
    try:
        opening.update_into(data, data)
        opening.finalize()
    except InvalidTag:
        return None
    return data


def bound_to(purpose: str, *names: str) -> bytes:
    """The associated data: none of these holds a zero byte, so no two rows of names are one."""
    assert all("\0" not in name for name in names)
    return "".join(f"{part}\0" for part in (purpose, *names)).encode()

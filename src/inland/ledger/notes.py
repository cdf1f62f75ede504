"""Signed notes and checkpoints: the log's head as text with an Ed25519 signature under it.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint. Stricter than they ask:
exactly one signature, ASCII names, no extension lines, and the origin is the key's name.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from inland.ledger.canonical import INTEGER_LIMIT, Malformed
from inland.ledger.merkle import EMPTY_ROOT

#: The signature type byte of Ed25519 (signed-note, "Signature types").
_ED25519 = b"\x01"
KEY_BYTES, KEY_ID_BYTES, HASH_BYTES = 32, 4, 32
MAX_NOTE_CHARS = 1 << 16

_NAME = re.compile(r"[!-*,-~]{1,255}\Z")
_VKEY = re.compile(r"([!-*,-~]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})\Z")
_SIGNATURE = re.compile(r"\u2014 ([!-*,-~]{1,255}) ([A-Za-z0-9+/=]{92})\n\Z")
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head: its name, how many entries it has, and the Merkle root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key in signed-note form, parsed."""

    name: str
    key_id: bytes
    public_key: bytes


def is_key_name(name: str) -> bool:
    """Whether `name` may name a key and a log: 1 to 255 printable ASCII, no space, no plus."""
    return _NAME.match(name) is not None


def key_id(name: str, public_key: bytes) -> bytes:
    """SHA-256(name || 0x0A || 0x01 || public key), its first 4 bytes."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:KEY_ID_BYTES]


def vkey(name: str, public_key: bytes) -> str:
    """The one public key an outsider needs, as text: name+id+key."""
    assert is_key_name(name)
    assert len(public_key) == KEY_BYTES
    encoded = b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_id(name, public_key).hex()}+{encoded}"


def parse_vkey(text: str) -> Verifier:
    """The key in `text`, one optional newline at its end. Raises Malformed."""
    match = _VKEY.match(text.removesuffix("\n"))
    if match is None:
        raise Malformed("verifier key", "not of the form name+id+key")
    name, hexadecimal, encoded = match.groups()
    key = _decode64(encoded, "verifier key")
    if key[:1] != _ED25519 or len(key) != 1 + KEY_BYTES:
        raise Malformed("verifier key", "not an Ed25519 key")
    if key_id(name, key[1:]).hex() != hexadecimal:
        raise Malformed("verifier key", "its id does not belong to its name and key")
    return Verifier(name, bytes.fromhex(hexadecimal), key[1:])


def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """The text of a checkpoint that is signed: origin, size, root, a line each."""
    assert is_key_name(origin)
    assert len(root) == HASH_BYTES
    assert 0 <= size < INTEGER_LIMIT
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n".encode()


def sign(body: bytes, name: str, key: Callable[[bytes], bytes], public_key: bytes) -> str:
    """The note of `body` signed under `name`; `key` makes the 64-byte Ed25519 signature."""
    assert body.endswith(b"\n")
    signature = b64encode(key_id(name, public_key) + key(body)).decode()
    return f"{body.decode()}\n\u2014 {name} {signature}\n"


def open_text(note: str, vkey: str, most_chars: int = MAX_NOTE_CHARS) -> str:
    """The text of `note` if its one signature is by `vkey`. Raises Malformed."""
    verifier = parse_vkey(vkey)
    if len(note) > most_chars or any(ch < " " and ch != "\n" for ch in note):
        raise Malformed("note", "too long, or it holds control characters")
    body, separator, signatures = note.rpartition("\n\n")
    match = _SIGNATURE.match(signatures)
    if not separator or match is None:
        raise Malformed("note", "does not end in exactly one signature line")
    name, encoded = match.groups()
    signature = _decode64(encoded, "signature")
    if name != verifier.name or signature[:KEY_ID_BYTES] != verifier.key_id:
        why = f"it is of the log {name}, the key is {verifier.name}'s: use the key of its own log"
        raise Malformed("note", why if name != verifier.name else "signed by another key")
    text = body + "\n"
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public_key).verify(
            signature[KEY_ID_BYTES:], text.encode()
        )
    except (InvalidSignature, UnicodeEncodeError):
        raise Malformed("note", "its signature does not fit its text") from None
    return text


def open_note(note: str, vkey: str) -> Checkpoint:
    """The checkpoint in `note` if its one signature is by `vkey` and its origin that key's name.

    Raises Malformed.
    """
    lines = open_text(note, vkey).split("\n")
    if len(lines) != 4:
        raise Malformed("checkpoint", "not exactly three lines")
    origin, size, root64, _ = lines
    if origin != parse_vkey(vkey).name:
        raise Malformed("checkpoint", "its origin is not the name of the key")
    if not _SIZE.match(size) or int(size) >= INTEGER_LIMIT:
        raise Malformed("checkpoint", "its size is not a plain number below 2^53")
    root = _decode64(root64, "root")
    if len(root) != HASH_BYTES or (size == "0" and root != EMPTY_ROOT):
        raise Malformed("checkpoint", "its root does not fit its size")
    return Checkpoint(origin, int(size), root)


def _decode64(text: str, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Malformed(what, "not base64") from None
    if b64encode(data).decode() != text:
        raise Malformed(what, "not base64 in canonical form")
    return data

"""The site log's one signing key, and the last head it signed: what `keys/` keeps for it.

While a key is rotated its successor waits in `keys/log.next`; the rename that makes it the key is
the end of the one before. Nothing but `keys/log` ever signs.
"""

from contextlib import suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.canonical import Malformed
from inland.ledger.notes import HASH_BYTES, KEY_BYTES
from inland.plant.books.durable import parent, read_file, swap_file, write_file
from inland.ports.clock import Entropy
from inland.ports.files import Files

_KEY = "keys/log"
_NEXT = "keys/log.next"
_HEAD = "keys/head"


@dataclass(frozen=True, slots=True)
class Head:
    """A head of a log: its origin, and the root (32 bytes) over its first `size` entries."""

    origin: str
    size: int
    root: bytes

    def facts(self) -> dict[str, str | int]:
        """As it stands in a record."""
        return {"origin": self.origin, "size": self.size, "root": self.root.hex()}


def signing_key(files: Files, entropy: Entropy) -> Ed25519PrivateKey:
    """The key in `keys/log`, made when there is none. Raises Damaged.

    Its name becomes durable with the first head's, before anything is signed with it.
    """
    if not files.exists(_KEY):
        write_file(files, f"{_KEY}.new", entropy(KEY_BYTES))
        files.rename(f"{_KEY}.new", _KEY)
    return kept_key(files)


def kept_key(files: Files) -> Ed25519PrivateKey:
    """The key in `keys/log`; none is made. Raises Damaged."""
    try:
        seed = read_file(files, _KEY)
    except FileNotFoundError:
        raise Damaged(_KEY, "missing") from None
    if len(seed) != KEY_BYTES:
        raise Damaged(_KEY, f"{len(seed)} bytes where {KEY_BYTES} belong")
    return Ed25519PrivateKey.from_private_bytes(seed)


def make_next(files: Files, entropy: Entropy) -> bytes:
    """The public half of a fresh key that waits in `keys/log.next`, durably."""
    seed = entropy(KEY_BYTES)
    write_file(files, _NEXT, seed)
    files.sync_dir(parent(_NEXT))
    return public_bytes(Ed25519PrivateKey.from_private_bytes(seed))


def next_public(files: Files) -> bytes | None:
    """The public half of the key that waits; None if none does, or what waits is no key."""
    try:
        seed = read_file(files, _NEXT)
    except FileNotFoundError:
        return None
    if len(seed) != KEY_BYTES:
        return None
    return public_bytes(Ed25519PrivateKey.from_private_bytes(seed))


def take_next(files: Files, public: bytes) -> None:
    """Let the key with that public half be the signing key: the one before is gone. Raises Damaged.

    Not durable before the first head it signs is remembered: until then a crash may bring the old
    one back, and this is done again.
    """
    if public_bytes(kept_key(files)) != public:
        if next_public(files) != public:
            raise Damaged(_NEXT, "it is not the key that the log at hand was opened for")
        files.rename(_NEXT, _KEY)


def drop_next(files: Files) -> None:
    """Remove a key that waits for nothing."""
    with suppress(FileNotFoundError):
        files.remove(_NEXT)


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of its public half."""
    return key.public_key().public_bytes_raw()


def last_head(files: Files) -> Head | None:
    """The last head that may have been signed; None before the first. Raises Damaged."""
    try:
        facts = canonical.decode(read_file(files, _HEAD))
        head = Head(str(facts["origin"]), int(facts["size"]), bytes.fromhex(facts["root"]))
    except FileNotFoundError:
        return None
    except (Malformed, KeyError, TypeError, ValueError) as error:
        raise Damaged(_HEAD, f"not a head ({error})") from error
    if len(head.root) != HASH_BYTES:
        raise Damaged(_HEAD, "its root is not 32 bytes")
    return head


def remember_head(files: Files, head: Head) -> None:
    """Make `head` the one that `last_head` gives, durably."""
    swap_file(files, _HEAD, canonical.encode(head.facts()))

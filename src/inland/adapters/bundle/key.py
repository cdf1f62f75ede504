"""The home's key for bundles: Ed25519, in a file of its own; it signs nothing else."""

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from inland.adapters.weights.digest import keep
from inland.domain.errors import Damaged
from inland.ledger import notes


class BundleKey:
    """Kept at `path`; made by the first that asks for it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            fresh = Ed25519PrivateKey.generate()
            raw = (Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            keep(path, fresh.private_bytes(*raw))
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(path.read_bytes())
        except ValueError:
            raise Damaged(str(path), "holds no key for bundles") from None
        self._public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._name = f"inland-bundles-{sha256(self._public).hexdigest()[:8]}"

    @property
    def vkey(self) -> str:
        """What whoever imports is given by another way than the bundle."""
        return notes.vkey(self._name, self._public)

    def sign(self, text: str) -> str:
        """The text as a signed note."""
        return notes.sign(text.encode(), self._name, self._key.sign, self._public)

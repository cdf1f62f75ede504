"""Signing models the way OpenSSF model-signing does, with that library, under a key of the home.

The key signs models and nothing else; `statement.py` reads what is written here.
"""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from inland.adapters.weights.digest import keep, settle
from inland.adapters.weights.shelf import Shelf
from inland.domain.errors import Damaged


def ensure_key(shelf: Shelf) -> None:
    """The home has its key for models, durably; one that is there stays."""
    if not shelf.private_key.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        keep(
            shelf.private_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
    kept = load_pem_private_key(shelf.private_key.read_bytes(), None)
    public = kept.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if not shelf.public_key.exists() or shelf.public_key.read_bytes() != public:
        keep(shelf.public_key, public)


def sign(shelf: Shelf, weights: Path, signature: Path) -> None:
    """The signature of a file or a folder, whole and durable at `signature`."""
    from model_signing import signing  # noqa: PLC0415 - half a second that no start needs

    part = signature.with_name(f"{signature.name}.{secrets.token_hex(4)}.new")
    try:
        config = signing.Config()  # type: ignore[no-untyped-call]  # it has no types there
        config.use_elliptic_key_signer(private_key=shelf.private_key)
        config.sign(weights, part)
        part.chmod(0o600)
        settle(part, signature)
    except ValueError as error:  # a link in a folder
        raise Damaged(str(weights), f"cannot be signed ({error})") from None
    finally:
        part.unlink(missing_ok=True)


def verify(shelf: Shelf, weights: Path, signature: Path, what: str) -> None:
    """Hold a model to its signature with the library that defines it. Raises Damaged."""
    from model_signing import verifying  # noqa: PLC0415 - as above

    try:
        config = verifying.Config()  # type: ignore[no-untyped-call]  # as above
        config.use_elliptic_key_verifier(public_key=shelf.public_key)
        config.verify(weights, signature)
    except Exception as error:  # noqa: BLE001 - whatever it raises, the model does not verify
        raise Damaged(what, f"does not verify ({str(error) or type(error).__name__})") from None

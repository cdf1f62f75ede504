"""In-toto statements in DSSE envelopes, under the home's key for models.

The envelope is that of OpenSSF model-signing, whose bundles have one around theirs: the same key
and the same algorithm, so whoever verifies a model's signature can verify this one.
"""

import json
from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from inland.adapters.weights.shelf import Shelf
from inland.adapters.weights.signing import ensure_key
from inland.adapters.weights.statement import PAYLOAD, to_be_signed
from inland.domain.errors import Damaged


class ModelsKey:
    """`ports.signing.Signer`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def sign(self, payload: bytes) -> str:
        """As the port says."""
        ensure_key(self._shelf)
        key = load_pem_private_key(self._shelf.private_key.read_bytes(), None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise Damaged(str(self._shelf.private_key), "is no key for models")
        given = key.sign(to_be_signed(PAYLOAD, payload), ECDSA(SHA256()))
        envelope = {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": b64encode(given).decode()}],
        }
        return json.dumps(envelope)

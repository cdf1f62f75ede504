"""What a model's signature says, believed only under the factory's own key.

The format is OpenSSF model-signing's: a Sigstore bundle around a DSSE envelope around an in-toto
statement that names each file's SHA-256. `signing.py` writes it with that library; this reads it at
each start of an engine, where loading the library would take longer than the start.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from inland.adapters.weights.digest import sums_sha256
from inland.domain.errors import Damaged

#: A statement has a line for each file of a model.
LIMIT_BYTES = 4 << 20
PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
#: How the library names the one file of a model that is no folder.
_THE_FILE = "."


class _Signature(msgspec.Struct):
    sig: str


class _Envelope(msgspec.Struct):
    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: list[_Signature]


class _Bundle(msgspec.Struct):
    envelope: _Envelope = msgspec.field(name="dsseEnvelope")


class _Resource(msgspec.Struct):
    name: str
    algorithm: str
    digest: str


class _Predicate(msgspec.Struct):
    resources: list[_Resource]


class _Statement(msgspec.Struct):
    kind: str = msgspec.field(name="_type")
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: _Predicate


def signed_digest(signature: bytes, public_key: bytes, what: str) -> str:
    """The digest, as `digest.file_sha256` has it, of the model that was signed by that key (PEM).

    Raises Damaged unless the signature is whole and by it.
    """
    try:
        envelope = msgspec.json.decode(signature, type=_Bundle).envelope
        payload = b64decode(envelope.payload, validate=True)
        (one,) = envelope.signatures
        given = b64decode(one.sig, validate=True)
        key = load_pem_public_key(public_key)
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise Damaged(what, "the factory's key for models is not the kind it should be")
        key.verify(given, to_be_signed(envelope.payload_type, payload), ECDSA(SHA256()))
        statement = msgspec.json.decode(payload, type=_Statement)
    except InvalidSignature:
        raise Damaged(what, "its signature is not by this factory, or not of this model") from None
    except (msgspec.MsgspecError, Base64Error, ValueError) as error:
        raise Damaged(what, f"its signature cannot be read ({error})") from None
    if (envelope.payload_type, statement.kind) != (PAYLOAD, _STATEMENT):
        raise Damaged(what, "its signature is of something else")
    if statement.predicate_type != _PREDICATE:
        raise Damaged(what, "its signature is of something else")
    return _digest(statement.predicate.resources, what)


def to_be_signed(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def _digest(resources: list[_Resource], what: str) -> str:
    for one in resources:
        if one.algorithm != "sha256" or not _SHA256.match(one.digest):
            raise Damaged(what, "its signature names a file by another hash than SHA-256")
    if len(resources) == 1 and resources[0].name == _THE_FILE:
        return resources[0].digest
    return sums_sha256(sorted((one.name, one.digest) for one in resources), what)

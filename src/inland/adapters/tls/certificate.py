"""What a certificate file says, and whether its key is kept well. Reads only; holds no key."""

import os
import ssl
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from inland.domain.errors import BadInput

#: A chain of certificates, or a key, is a few KiB.
FILE_LIMIT_BYTES = 1 << 20
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Certificate:
    """A file's first certificate, which is the one that is shown to callers."""

    names: frozenset[str]
    sha256: str
    begins_unix_s: int
    ends_unix_s: int
    self_signed: bool

    @property
    def fingerprint(self) -> str:
        """As `openssl x509 -fingerprint -sha256` and browsers print it."""
        pairs = zip(self.sha256[::2], self.sha256[1::2], strict=True)
        return ":".join("".join(pair) for pair in pairs).upper()

    def is_valid_at(self, unix_s: float) -> bool:
        return self.begins_unix_s <= unix_s < self.ends_unix_s


def read(path: Path) -> Certificate:
    """The certificate in a PEM file. Raises BadInput, OSError."""
    return of_pem(_bounded(path), str(path))


def of_pem(data: bytes, where: str) -> Certificate:
    """As `read`; `where` is named in errors."""
    try:
        found = x509.load_pem_x509_certificates(data)[0]
        names = _names(found)
    except ValueError as error:
        raise BadInput(where, f"holds no PEM certificate: {_short(error)}") from None
    return Certificate(
        names,
        sha256(found.public_bytes(Encoding.DER)).hexdigest(),
        int(found.not_valid_before_utc.timestamp()),
        int(found.not_valid_after_utc.timestamp()),
        self_signed=found.issuer == found.subject,
    )


def demand_private(key: Path) -> None:
    """Raise BadInput where others may read the key, OSError where we may not.

    Its group may where root owns it: so administrators hand keys to services.
    """
    found = key.stat()
    lent = found.st_uid == 0 and os.geteuid() != 0
    others = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP | (0 if lent else stat.S_IRGRP)
    if found.st_mode & others:
        raise BadInput(str(key), f"others may read this TLS key; chmod {'640' if lent else '600'}")


def context_of(cert: Path, key: Path) -> ssl.SSLContext:
    """What serves this pair: TLS 1.2 or later, HTTP/1.1 alone. Raises BadInput, OSError."""
    cert.stat()  # of a missing one the library does not say which
    demand_private(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, _Encrypted) as error:
        why = f"is no pair of certificate and key: {_short(error)}"
        raise BadInput(f"{cert} and {key}", why) from None
    return context


class _Encrypted(Exception):
    """The key asks for a password; there is nobody to type it."""


def _no_password() -> str:
    raise _Encrypted("the key is encrypted")


def _names(found: x509.Certificate) -> frozenset[str]:
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    hosts = [name.lower() for name in said.get_values_for_type(x509.DNSName)]
    return frozenset(hosts) | {str(ip) for ip in said.get_values_for_type(x509.IPAddress)}


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_LIMIT_BYTES + 1)
    if len(data) > FILE_LIMIT_BYTES:
        raise BadInput(str(path), f"is longer than {FILE_LIMIT_BYTES} bytes")
    return data


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

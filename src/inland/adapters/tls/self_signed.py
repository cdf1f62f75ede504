"""A certificate the factory makes for itself: kept across restarts, renewed before it ends.

Its key stays while its file is there; without that the next start makes both anew.
"""

import datetime as dt
import ipaddress
import os
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from inland.adapters.tls import certificate
from inland.adapters.tls.certificate import DAY_S
from inland.domain.errors import BadInput, InlandError

#: No client takes much longer ones (Apple's limit is 825 days).
VALID_DAYS = 820
RENEW_DAYS = 30
#: Clocks of callers may be behind ours.
_BACKDATED = dt.timedelta(hours=1)


def keep(cert: Path, key: Path, names: tuple[str, ...], unix_s: int) -> bool:
    """See that a pair for exactly `names` is there and not about to end; whether one was made.

    Raises BadInput where the key file holds no such key, OSError.
    """
    private = _key(key)
    if _will_do(cert, private, names, unix_s):
        return False
    _write(cert, _made(private, names, unix_s).public_bytes(Encoding.PEM), 0o644)
    return True


def _will_do(
    cert: Path, private: ec.EllipticCurvePrivateKey, names: tuple[str, ...], unix_s: int
) -> bool:
    try:
        data = cert.read_bytes()
        found = certificate.of_pem(data, str(cert))
    except (FileNotFoundError, InlandError):
        return False
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    held = x509.load_pem_x509_certificates(data)[0].public_key().public_bytes(*spki)
    return (
        found.names == frozenset(names)
        and held == private.public_key().public_bytes(*spki)
        and found.is_valid_at(unix_s)
        and found.ends_unix_s - unix_s > RENEW_DAYS * DAY_S
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(path, pem, 0o600)
        return made
    try:
        found = load_pem_private_key(data, password=None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise BadInput(str(path), "holds no key of the factory's making; move it away, start again")
    return found


def _made(
    private: ec.EllipticCurvePrivateKey, names: tuple[str, ...], unix_s: int
) -> x509.Certificate:
    """An end entity's: who trusts it trusts this factory and nothing it might sign."""
    public = private.public_key()
    now = dt.datetime.fromtimestamp(unix_s, dt.UTC)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Inland factory"),
            x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64]),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        **dict.fromkeys(
            (
                *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
                *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
            ),
            False,
        ),
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([_general(name) for name in names]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(private, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole and durable, or not there. Two that make it at once both end with a whole file."""
    aside = path.with_name(f".new-{path.name}-{os.getpid()}")
    with suppress(FileNotFoundError):
        aside.unlink()
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""What `inland doctor` says of the factory's port: who can reach it, its certificate, its key."""

from pathlib import Path

from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.host.findings import Finding, Health, good
from inland.adapters.tls import certificate
from inland.adapters.tls.certificate import DAY_S, Certificate
from inland.adapters.tls.files import files
from inland.domain.errors import InlandError

#: A certificate that ends this soon is warned of.
WARN_DAYS = 30


def examine(home: Home, said: Listening, unix_s: int) -> list[Finding]:
    """The findings. A self-signed pair that no start has made yet is none."""
    found = [_bind(said)]
    pair = files(home, said)
    if pair is None or (said.tls_self_signed and not any(path.exists() for path in pair)):
        return found
    cert, key = pair
    return [*found, _certificate(said, cert, key, unix_s), _key(key)]


def _bind(said: Listening) -> Finding:
    by = "over TLS" if said.is_tls else "without TLS"
    if said.is_loopback:
        return good("address", f"{said.bind}, this machine alone, {by}")
    if not said.is_tls:
        remedy = "inland up refuses this; see tls_cert, tls_key, tls_self_signed under [serve]"
        return Finding("address", Health.BAD, f"{said.bind} {by}", remedy)
    remedy = "let a firewall hold who may connect; SECURITY.md has the list"
    return Finding("address", Health.WARN, f"{said.bind}, other machines too, {by}", remedy)


def _certificate(said: Listening, cert: Path, key: Path, unix_s: int) -> Finding:
    what = "certificate"
    try:
        found = certificate.read(cert)
        certificate.context_of(cert, key)
    except (InlandError, OSError) as error:
        remedy = "mend it: a running factory serves the one it has, the next start fails"
        return Finding(what, Health.BAD, str(error), remedy)
    left_days = (found.ends_unix_s - unix_s) // DAY_S
    if not found.is_valid_at(unix_s):
        when = "has ended" if unix_s >= found.ends_unix_s else "is not valid yet"
        return Finding(what, Health.BAD, f"{cert} {when}", _renewal(said))
    if left_days < WARN_DAYS:
        return Finding(what, Health.WARN, f"ends in {left_days} days", _renewal(said))
    return _named(said, cert, found) or good(what, f"{left_days} days left, {found.fingerprint}")


def _named(said: Listening, cert: Path, found: Certificate) -> Finding | None:
    """Callers use the names of a certificate: each must be one the factory answers to."""
    plain = sorted(name for name in found.names if not name.startswith("*"))
    unknown = [name for name in plain if name not in said.names()]
    if not unknown:
        return None
    told = f"{cert} names {', '.join(unknown[:3])}, which would be refused"
    return Finding("certificate", Health.WARN, told, "add it to `hosts` under [serve]")


def _renewal(said: Listening) -> str:
    if said.tls_self_signed:
        return "start the factory: it renews its own, and callers need the new tls.crt"
    return "put a new pair in its place: a running factory takes it up by itself"


def _key(key: Path) -> Finding:
    try:
        certificate.demand_private(key)
    except InlandError as error:
        return Finding("TLS key", Health.BAD, str(error), f"chmod 600 {key}")
    except OSError as error:
        return Finding("TLS key", Health.BAD, f"{key}: {error.strerror}", "let its user read it")
    return good("TLS key", "private")

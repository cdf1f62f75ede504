"""How callers reach a running factory: its address, and the certificate they know it by."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.tls.files import files

if TYPE_CHECKING:
    from inland.adapters.tls.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Reached:
    """`url`: as it is called from this machine. `others`: the names it has besides.

    `certificate`: the file, for a TLS factory; `trusted`: whether callers need that very file.
    """

    url: str
    others: tuple[str, ...] = ()
    certificate: str | None = None
    sha256: str | None = None
    ends: str | None = None
    trusted: bool = False

    def lines(self) -> list[str]:
        """What a person wants to know beyond the address."""
        told = [f"Also reached as {', '.join(self.others)}"] if self.others else []
        if self.certificate is not None:
            kind = "Its own certificate" if self.trusted else "Certificate"
            told += [f"{kind}: {self.certificate} (until {self.ends})", f"SHA-256 {self.sha256}"]
        return told

    def keep(self, home: Home) -> None:
        """Remember it for `inland status`, as long as the factory runs."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(home.listening, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)


def reached(home: Home, said: Listening, port: int, found: "Certificate | None") -> Reached:
    """With the certificate `found` to be served, the first name of ours that it has."""
    own = said.names()
    others = tuple(said.url(port, name) for name in said.hosts)
    pair = files(home, said)
    if found is None or pair is None:
        return Reached(said.url(port), others)
    plain = said.url(port)
    address = plain.removeprefix("https://").rpartition(":")[0].strip("[]")
    named = [name for name in own if name in found.names]
    url = plain if address in found.names or not named else said.url(port, named[0])
    return Reached(
        url,
        tuple(other for other in others if other != url),
        str(pair[0]),
        found.fingerprint,
        datetime.fromtimestamp(found.ends_unix_s, UTC).strftime("%Y-%m-%d"),
        trusted=found.self_signed,
    )


def remembered(home: Home) -> Reached | None:
    """How the factory that runs there is reached; None where nothing was kept."""
    try:
        raw = json.loads(home.listening.read_bytes())
        return Reached(**{**raw, "others": tuple(raw["others"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def served_sha256(url: str) -> str | None:
    """The fingerprint that callers are shown just now; None where nobody answers."""
    import ssl
    from urllib.parse import urlsplit

    from inland.adapters.tls.certificate import of_pem

    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None or parts.port is None:
        return None
    try:
        pem = ssl.get_server_certificate((parts.hostname, parts.port), timeout=5)
    except OSError:
        return None
    return of_pem(pem.encode(), url).fingerprint

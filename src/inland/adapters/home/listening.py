"""Where callers reach a factory: address, TLS, the names it answers to, the proxies it believes.

Checked here once, for factory.toml and for the command line alike.
"""

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inland.adapters.home.table import Table
from inland.domain.errors import BadInput

LOOPBACK = "127.0.0.1"
#: Names, origins and proxies that may be declared, each.
NAMES_LIMIT = 256
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is asked of by that name


@dataclass(frozen=True, slots=True)
class Listening:
    """`bind`: an IP address. `tls_cert`, `tls_key`: PEM files, absolute; or `tls_self_signed`.

    `hosts`: names or addresses callers may use besides loopback's and `bind`. `origins`: web
    pages that may call. `proxies`: addresses or networks whose word on their callers is taken.
    """

    bind: str = LOOPBACK
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_self_signed: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bind", _address(self.bind))
        object.__setattr__(self, "hosts", _all("hosts", self.hosts, _host))
        object.__setattr__(self, "origins", _all("origins", self.origins, _origin))
        object.__setattr__(self, "proxies", _all("proxies", self.proxies, _network))
        if (self.tls_cert is None) != (self.tls_key is None):
            raise BadInput("serve", "tls_cert and tls_key belong together; name both")
        if self.tls_self_signed and self.tls_cert is not None:
            raise BadInput("serve", "either tls_cert and tls_key, or tls_self_signed, not both")

    @property
    def is_tls(self) -> bool:
        return self.tls_self_signed or self.tls_cert is not None

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.bind).is_loopback

    def demand_tls(self) -> None:
        """Raise BadInput where keys and prompts would cross a network in the clear."""
        if not self.is_loopback and not self.is_tls:
            raise BadInput(
                "bind",
                f"{self.bind} can be reached from other machines, so it needs TLS: give --tls-cert"
                " FILE --tls-key FILE, or --tls-self-signed (in factory.toml: [serve])",
            )

    def names(self) -> tuple[str, ...]:
        """What it may be called: the names of a certificate made for it, loopback's last."""
        bound = () if self.bind in _ANY else (self.bind.partition("%")[0],)
        return tuple(dict.fromkeys((*self.hosts, *bound, *_LOCAL)))

    def url(self, port: int, host: str | None = None) -> str:
        """Where it is reached under `host`; without one by the address, from this machine."""
        name = host or _ANY.get(self.bind, self.bind)
        shown = f"[{name}]" if ":" in name else name
        return f"{'https' if self.is_tls else 'http'}://{shown}:{port}"

    def overridden(
        self,
        *,
        bind: str | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        tls_self_signed: bool = False,
        hosts: Sequence[str] = (),
    ) -> "Listening":
        """With what a command line says instead; its hosts come first, and are added."""
        said: dict[str, Any] = {"hosts": (*hosts, *self.hosts)}
        if bind is not None:
            said["bind"] = bind
        if tls_cert is not None or tls_key is not None or tls_self_signed:
            said["tls_cert"] = None if tls_cert is None else str(tls_cert.absolute())
            said["tls_key"] = None if tls_key is None else str(tls_key.absolute())
            said["tls_self_signed"] = tls_self_signed
        return replace(self, **said)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def from_json(text: str) -> Listening:
    """What `to_json` wrote."""
    raw = json.loads(text)
    return Listening(**{name: _frozen(value) for name, value in raw.items()})


def from_table(table: Table, home: Path) -> Listening:
    """What `[serve]` says of it; relative file names are taken from `home`. Raises BadInput."""
    files = [table.text(name, "") for name in ("tls_cert", "tls_key")]
    cert, key = (str(home / file) if file else None for file in files)
    return Listening(
        bind=table.text("bind", LOOPBACK),
        tls_cert=cert,
        tls_key=key,
        tls_self_signed=table.flag("tls_self_signed"),
        hosts=table.texts("hosts", ()),
        origins=table.texts("origins", ()),
        proxies=table.texts("proxies", ()),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _all(field: str, values: Sequence[str], one: Any) -> tuple[str, ...]:
    if len(values) > NAMES_LIMIT:
        raise BadInput(f"serve.{field}", f"has more than {NAMES_LIMIT} entries")
    return tuple(dict.fromkeys(one(value) for value in values))


def _address(text: str) -> str:
    plain = LOOPBACK if text == "localhost" else text.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        raise BadInput("bind", f"{text!r} is no IP address such as 0.0.0.0 or ::1") from None


def _host(text: str) -> str:
    plain = text.lower().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        pass
    if not _HOST_NAME.match(plain):
        why = "is no host name such as llm.example.org, nor an address; leave out scheme and port"
        raise BadInput("serve.hosts", f"{text!r} {why}")
    return plain


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or parts.path or parts.query or not parts.hostname:
        raise BadInput("serve.origins", f"{text!r} is no origin such as https://llm.example.org")
    name = _host(parts.hostname)
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise BadInput("serve.proxies", f"{text!r} is no address or network: {error}") from None

"""What `inland up` is told of how the factory is reached, and the certificate for that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inland.adapters.files.clock import SystemClock
from inland.adapters.home.factory_toml import DEFAULT_PORT
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import LOOPBACK, Listening

if TYPE_CHECKING:
    from inland.adapters.tls.certificate import Certificate

PortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65_535, help="Where callers connect.", show_default=str(DEFAULT_PORT)),
]
BindOption = Annotated[
    str | None,
    typer.Option(
        help="The address to listen on; one that other machines reach needs TLS.",
        show_default=LOOPBACK,
    ),
]
CertOption = Annotated[Path | None, typer.Option(help="Serve TLS by this certificate (PEM).")]
KeyOption = Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")]
SelfSignedOption = Annotated[
    bool, typer.Option("--tls-self-signed", help="Serve TLS by a certificate made here.")
]
HostsOption = Annotated[
    list[str] | None, typer.Option(help="A name callers use; may be given again.")
]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a command line says of it."""

    bind: str | None
    tls_cert: Path | None
    tls_key: Path | None
    tls_self_signed: bool
    hosts: Sequence[str] | None

    def on(self, declared: Listening) -> Listening:
        """What factory.toml declares, and this instead. Raises BadInput where it lacks TLS."""
        said = declared.overridden(
            bind=self.bind,
            tls_cert=self.tls_cert,
            tls_key=self.tls_key,
            tls_self_signed=self.tls_self_signed,
            hosts=self.hosts or (),
        )
        said.demand_tls()
        return said

    def first(self) -> Listening:
        """As `on`, where no home is yet; its files are tried before one is made."""
        said = self.on(Listening())
        if said.tls_cert is not None and said.tls_key is not None:
            from inland.adapters.tls.certificate import context_of

            context_of(Path(said.tls_cert), Path(said.tls_key))
        return said


def certificate_of(home: Home, said: Listening) -> "Certificate | None":
    """What will be served, made where it is ours to make."""
    if not said.is_tls:
        return None
    from inland.bootstrap.certificate import prepare

    return prepare(home, said, SystemClock())

"""Which files a factory serves TLS by. Names only; nothing is read."""

from pathlib import Path

from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening


def files(home: Home, said: Listening) -> tuple[Path, Path] | None:
    """Certificate and key; None without TLS."""
    if said.tls_self_signed:
        return home.tls_certificate, home.tls_key
    if said.tls_cert is None or said.tls_key is None:
        return None
    return Path(said.tls_cert), Path(said.tls_key)

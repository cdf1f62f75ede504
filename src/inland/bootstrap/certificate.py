"""The factory's certificate, before it is served: made where it is ours to make, and proved."""

from dataclasses import dataclass

from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.tls import certificate, self_signed
from inland.adapters.tls.certificate import Certificate
from inland.adapters.tls.files import files
from inland.ports.clock import Clock

#: How often a running factory looks whether its own certificate is about to end.
_LOOK_S = 3600.0


def prepare(home: Home, said: Listening, clock: Clock) -> Certificate | None:
    """What will be served; None without TLS. Raises BadInput, OSError where that cannot be."""
    pair = files(home, said)
    if pair is None:
        return None
    if said.tls_self_signed:
        unix_s = clock.unix_us() // 1_000_000
        self_signed.keep(home.tls_certificate, home.tls_key, said.names(), unix_s)
    certificate.context_of(*pair)
    return certificate.read(pair[0])


@dataclass(slots=True)
class Renewal:
    """Keeps a running factory's own certificate from ending; gateways notice the new file."""

    home: Home
    said: Listening
    clock: Clock
    due_s: float = 0.0

    def step(self) -> None:
        """Renew it when it is time. Raises BadInput, OSError."""
        now = self.clock.monotonic()
        if self.said.tls_self_signed and now >= self.due_s:
            self.due_s = now + _LOOK_S
            prepare(self.home, self.said, self.clock)

"""Which of a name's addresses may be connected to: asked once for each, refused unless allowed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inland.adapters.egress.addresses import is_inside
from inland.adapters.egress.uses import Use, Uses
from inland.domain.errors import Denied

#: (host, port, is the address inside a network) → the rules that let us connect there; none: no.
Allow = Callable[[str, int, bool], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Judge:
    """`allow`, and the count of what it said."""

    allow: Allow
    uses: Uses

    def allowed(self, host: str, port: int, found: Iterable[str], why: str) -> list[str]:
        """Those of the addresses `found` that may be connected to. Raises Denied: none."""
        addresses = [one for one in found if self.may(host, port, one)]
        if not addresses:
            raise self.denied(host, port, why)
        return addresses

    def may(self, host: str, port: int, address: str) -> tuple[str, ...]:
        """The rules by which `address` may be connected to as `host`; none: it may not."""
        return tuple(self.allow(host, port, is_inside(address)))

    def denied(self, host: str, port: int, why: str) -> Denied:
        """The refusal, counted."""
        endpoint = named(host, port)
        self.uses.add(Use(endpoint, why, ()))
        remedy = f'permit resource == Endpoint::"{endpoint}" in the policy set'
        return Denied(f"connecting to {endpoint}", (), remedy)

    def passed(self, host: str, port: int, address: str, why: str) -> None:
        """Count a connection that stands. Raises Denied: what holds has changed meanwhile."""
        rules = self.may(host, port, address)
        if not rules:
            raise self.denied(host, port, why)
        self.uses.add(Use(named(host, port), why, rules))


def named(host: str, port: int) -> str:
    """An endpoint as policies name it."""
    return f"{host}:{port}"

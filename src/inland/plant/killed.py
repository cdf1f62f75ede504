"""Holders of plaintext that were killed, and the wait until they have let go of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event

from inland.domain.errors import Conflict
from inland.ports.clock import Clock

#: How long those that were killed may take to let go, all together, in seconds.
RELEASE_S = 30.0


@dataclass(frozen=True, slots=True)
class Killed:
    """One that was. `what`: as errors name it. `released`: nothing of what it read is in memory any
    more."""

    what: str
    released: Event


def demand_released(killed: Iterable[Killed], clock: Clock) -> None:
    """Nothing of what they read is in memory when it returns. Raises Conflict."""
    until = clock.monotonic() + RELEASE_S
    for one in killed:
        if not one.released.wait(max(0.0, until - clock.monotonic())):
            raise Conflict(one.what, "it cannot be ended: what it reads is not let go")

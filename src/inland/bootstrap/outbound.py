"""What control's own door may open: asked of the policy set in force, decided once a version."""

import threading

from inland.decide.residency import Residency
from inland.plant.changes import Changes


class Outbound:
    """`allows` is what a door asks."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._lock = threading.Lock()
        self._version = -1
        self._residency: Residency | None = None
        self._decided: dict[tuple[str, int, bool], tuple[str, ...]] = {}

    def allows(self, host: str, port: int, inside: bool) -> tuple[str, ...]:  # noqa: FBT001 - `Allow`
        """The rules by which control may connect there; none: it may not."""
        asked = (host, port, inside)
        with self._changes.store.read() as transaction:
            version = transaction.state.version()
        with self._lock:
            if self._residency is None or version != self._version:
                self._residency = Residency(self._changes.snapshot())
                self._version, self._decided = version, {}
            if asked not in self._decided:
                verdict = self._residency.decide_connect(host, port, private=inside)
                self._decided[asked] = verdict.rules if verdict.allowed else ()
            return self._decided[asked]

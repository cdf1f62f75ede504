"""The one door out, as each process has it: what opens it is the policy set in force."""

import threading
from dataclasses import dataclass, field

from inland.adapters.egress.blocking import BlockingDoor
from inland.decide.residency import Residency
from inland.domain.snapshot import Snapshot
from inland.plant.changes import Changes


@dataclass(slots=True)
class InForce:
    """What decides now; the door asks it too, for connections that requests need."""

    residency: Residency | None = None
    connects: dict[tuple[str, int, bool], tuple[str, ...]] = field(default_factory=dict)

    def take(self, snapshot: Snapshot) -> Residency:
        self.residency, self.connects = Residency(snapshot), {}
        return self.residency

    def may_connect(self, host: str, port: int, private: bool) -> tuple[str, ...]:  # noqa: FBT001
        """The rules that allow it. Decided once for each endpoint: as many as deployments."""
        if self.residency is None:
            return ()
        asked = (host, port, private)
        if asked not in self.connects:
            verdict = self.residency.decide_connect(host, port, private=private)
            self.connects[asked] = verdict.rules if verdict.allowed else ()
        return self.connects[asked]


def control_door(changes: Changes) -> BlockingDoor:
    """Control's, for its threads: decided by the state in the database, read as it changes."""
    in_force = InForce()
    taken = [-1]
    lock = threading.Lock()  # what an older policy set decided must not be kept under a newer one

    def allow(host: str, port: int, private: bool) -> tuple[str, ...]:  # noqa: FBT001 - `Allow`
        with changes.store.read() as transaction:
            version = transaction.state.version()
        with lock:
            if version != taken[0]:
                in_force.take(changes.snapshot())
                taken[0] = version
            return in_force.may_connect(host, port, private)

    return BlockingDoor(allow)

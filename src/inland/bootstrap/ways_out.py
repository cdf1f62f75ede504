"""The one door out, as each process has it: what opens it is the policy set in force."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.uses import Uses
from inland.adapters.files.policies import PolicyFiles
from inland.adapters.sql.way import Way
from inland.decide.policy_set import (
    default_files,
    endpoint_rule,
    join_files,
    rules,
    without_schema,
)
from inland.decide.residency import Residency
from inland.domain.snapshot import Snapshot
from inland.plant.changes import Changes
from inland.plant.policies import ENDPOINTS_FILE


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


class DatabaseRules:
    """What decides about the way to the database, which cannot be asked: the policy folder, until
    control has read the set in force there; then that set, as it was last read."""

    def __init__(self, home: Path) -> None:
        files = without_schema(PolicyFiles(home / "policies").read()) or default_files()
        self._in_force = InForce()
        self._lock = threading.Lock()
        self._version = self._written = -1
        self._in_force.take(_of_files(files))

    def take(self, changes: Changes) -> None:
        """Decide by the set in force from here on."""
        written = changes.store.written()
        if written == self._written:
            return
        with changes.store.read() as transaction:
            version = transaction.state.version()
        if version != self._version:
            snapshot = changes.snapshot()
            with self._lock:
                self._in_force.take(snapshot)
                self._version = version
        self._written = written

    def may_connect(self, host: str, port: int, private: bool) -> tuple[str, ...]:  # noqa: FBT001
        """As `Allow` has it."""
        with self._lock:
            return self._in_force.may_connect(host, port, private)


@dataclass(frozen=True, slots=True)
class DatabaseWay:
    """Control's way to the database, and what decides about it."""

    rules: DatabaseRules
    way: Way

    def step(self, changes: Changes) -> None:
        """Decide by what is in force now; what it would not open ends."""
        self.rules.take(changes)
        self.way.door.recheck()


def _of_files(files: dict[str, str]) -> Snapshot:
    return Snapshot(0, "", "", join_files(files), {}, {}, {}, {}, {})


def name_endpoints(folder: PolicyFiles, endpoints: Iterable[tuple[str, int]]) -> None:
    """Have the policy folder permit these: whoever starts the factory named them in its file."""
    files = without_schema(folder.read()) or default_files()
    there = rules(join_files(files)).keys()
    named = [endpoint_rule(*one) for one in endpoints]
    missing = "".join(rule for rule in named if not rules(rule).keys() <= there)
    if missing:
        files[ENDPOINTS_FILE] = files.get(ENDPOINTS_FILE, "") + missing
        folder.write(files, remove_others=False)


def control_door(changes: Changes, uses: Uses) -> BlockingDoor:
    """Control's, for its threads: decided by the state in the database, read as it changes."""
    in_force = InForce()
    taken, read = [-1], [-1]
    lock = threading.Lock()  # what an older policy set decided must not be kept under a newer one

    def allow(host: str, port: int, private: bool) -> tuple[str, ...]:  # noqa: FBT001 - `Allow`
        with lock:
            written = changes.store.written()
            if written != read[0]:
                with changes.store.read() as transaction:
                    version = transaction.state.version()
                if version != taken[0]:
                    in_force.take(changes.snapshot())
                    taken[0] = version
                read[0] = written
            return in_force.may_connect(host, port, private)

    return BlockingDoor(allow, uses=uses)

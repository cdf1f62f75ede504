"""Seeded `kill -9`, one role at a time under load, and the laws of the books afterwards.

Phases of the gateway are hit from outside: `strace` delivers the signal inside the chosen commit (a
write that syncs, one system call: between append and sync) or holds its return back until the kill
(after sync, before anyone was told). Nothing in the factory knows that it is being tested.
"""

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from tests.chaos.load import Callers, Received
from tests.factory.running import Running, running, verify_outside

#: How long a factory may take to be ready again after a kill, in seconds.
RECOVERY_S = 30
#: For so long strace holds a commit's return back, in microseconds, for the kill to land there.
HELD_US = 400_000
STRACE_S = 20
#: The system calls with which a gateway commits its journal, and control everything it keeps.
GATEWAY_COMMIT = "pwritev2,fdatasync"
CONTROL_COMMIT = "fdatasync,fsync,rename"
#: Calm traffic before each kill lasts up to this long, in seconds.
CALM_S = 2.0


@dataclass
class Outcome:
    """What a run of kills showed. Every list must be empty for the laws to hold."""

    seed: int
    kills: dict[str, int] = field(default_factory=dict)
    whole: int = 0
    partial: int = 0
    cut: int = 0
    records: int = 0
    beyond: int = 0
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    check: str = ""

    @property
    def holds(self) -> bool:
        """Whether every law held."""
        broken = self.missing + self.doubled + self.unverified + self.lost + self.wrong
        return not broken and self.beyond <= self.cut and self.check == "ok"


def _ready(factory: Running) -> None:
    end = time.monotonic() + RECOVERY_S
    while time.monotonic() < end:
        try:
            with factory.http(trust_env=False) as http:
                if http.get("/readyz").status_code == 200:
                    return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready {RECOVERY_S} s after a kill: {factory.run('status').stdout}")


def _traced_kill(factory: Running, role: str, calls: str, *inject: str) -> None:
    """Kill the one process of `role` inside one of `calls`, by strace's fault `inject`."""
    pid = factory.pid(role)
    fault = ":".join([f"inject={calls}", *inject])
    argv = ["strace", "-f", "-qq", "-e", f"trace={calls}", "-e", fault, "-p", str(pid)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as trace:
        assert trace.stderr is not None
        end = time.monotonic() + STRACE_S
        while time.monotonic() < end and trace.poll() is None:
            if select.select([trace.stderr], [], [], 0.1)[0] and (
                b"DELAYED" in os.read(trace.stderr.fileno(), 65536)
            ):
                break
        hit = trace.poll() is not None or time.monotonic() < end
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
        trace.kill()  # one that only ends would keep the dead from being reaped
    assert hit, f"{role} made none of {calls} within {STRACE_S} s"


def gateway_before_sync(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The kill lands inside the commit: what it appended may be there, and nobody was told."""
    when = f"when={dice.randint(2, 12)}"
    _traced_kill(factory, "gateway", GATEWAY_COMMIT, "signal=KILL", when)


def gateway_after_sync(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The kill lands when the sync is done and its caller has not been told."""
    when = f"when={dice.randint(2, 12)}"
    _traced_kill(factory, "gateway", GATEWAY_COMMIT, f"delay_exit={HELD_US}", when)


def gateway_mid_stream(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The kill lands while streams are flowing."""
    while callers.streaming.acquire(blocking=False):
        pass
    for _ in range(dice.randint(1, 6)):
        callers.streaming.acquire(timeout=RECOVERY_S)
    factory.kill("gateway")


def gateway_queued(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The kill lands while more is asked than there are slots, so some of it is queued."""
    with Callers(factory, dice.randint(0, 1 << 30), threads=10, max_tokens=200) as crowd:
        time.sleep(0.6 + dice.random() * 0.4)
        factory.kill("gateway")
        _ready(factory)
    callers.received.extend(crowd.received)
    callers.wrong.extend(crowd.wrong)


def control_any_time(factory: Running, callers: Callers, dice: random.Random) -> None:
    time.sleep(dice.random() * 1.5)
    factory.kill("control")


def control_in_commit(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The kill lands inside a sync or a rename: of records, database, tiles, head or checkpoint."""
    when = f"when={dice.randint(1, 25)}"
    _traced_kill(factory, "control", CONTROL_COMMIT, "signal=KILL", when)


def gateway_before_first_byte(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The kill lands when requests have been sent and the engine still reads their prompts."""
    with Callers(factory, dice.randint(0, 1 << 30), threads=2) as two:
        time.sleep(0.01 + dice.random() * 0.04)
        factory.kill("gateway")
        _ready(factory)
    callers.received.extend(two.received)
    callers.wrong.extend(two.wrong)


def engine_any_time(factory: Running, callers: Callers, dice: random.Random) -> None:
    time.sleep(dice.random() * 0.5)
    factory.kill("engine")


def supervisor_any_time(factory: Running, callers: Callers, dice: random.Random) -> None:
    """The supervisor dies, its children end with it, and a person starts the factory again."""
    time.sleep(dice.random() * 0.5)
    pids = [p["pid"] for p in factory.processes() if p["pid"] and p["role"] != "supervisor"]
    factory.kill("supervisor")
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end, "a child outlived its supervisor"
        time.sleep(0.05)
    factory.up()


#: The kills, taken in turn so that thirty cover every role and phase several times.
KILLS: tuple[Callable[[Running, Callers, random.Random], None], ...] = (
    gateway_before_sync,
    control_any_time,
    gateway_mid_stream,
    engine_any_time,
    gateway_after_sync,
    supervisor_any_time,
    gateway_queued,
    control_in_commit,
    gateway_before_first_byte,
)


def _settle(factory: Running) -> None:
    """Wait until every journal is booked: two exports more than two batches apart agree."""
    _ready(factory)
    time.sleep(3)


def _hold_books_to(
    factory: Running, received: list[Received], folder: Path, outcome: Outcome
) -> None:
    records: dict[str, list[str]] = {}
    outcomes: dict[str, str] = {}
    for tenant in ("demo", "acme"):
        for record in factory.records(tenant, folder):
            if record["kind"] == "request":
                records.setdefault(record["id"], []).append(record["tenant"])
                outcomes[record["id"]] = record["outcome"]
    seen = {r.ref for r in received if r.ref}
    outcome.records = len(records)
    outcome.whole = sum(r.whole for r in received)
    outcome.partial = sum(1 for r in received if r.ref and not r.whole)
    outcome.cut = sum(r.sent and not r.whole and not r.refused for r in received)
    outcome.beyond = sum(1 for ref in records if ref not in seen)
    outcome.missing = [r for r in seen if r not in records]
    outcome.doubled = [r for r, copies in records.items() if len(copies) > 1]
    vkey = factory.vkey(folder)
    for got in received:
        if got.whole and got.ref is not None and got.ref in records:
            receipt = factory.receipt(got.ref, folder / "receipt.json")
            done = verify_outside(receipt, vkey, "--entry", got.entry or "none")
            if done.returncode != 0 or outcomes[got.ref] != "complete":
                outcome.unverified.append(f"{got.ref}: {done.stdout}{outcomes[got.ref]}")


def run_kills(folder: Path, seed: int, count: int) -> Outcome:
    """`count` seeded kills on a fresh factory in `folder`, then every law."""
    dice = random.Random(seed)
    outcome = Outcome(seed)
    with running(folder / "home") as factory:
        factory.run("tenant", "add", "bystander")
        spare = factory.key("bystander")
        with Callers(factory, seed) as callers:
            for number in range(count):
                kill = KILLS[number % len(KILLS)]
                print(f"kill {number + 1} of {count}: {kill.__name__}", file=sys.stderr)
                time.sleep(dice.random() * CALM_S)
                kill(factory, callers, dice)
                outcome.kills[kill.__name__] = outcome.kills.get(kill.__name__, 0) + 1
                _ready(factory)
        outcome.wrong = callers.wrong
        _settle(factory)
        _hold_books_to(factory, callers.received, folder, outcome)
        tenants = {t["id"] for t in factory.json("tenant", "list")}
        outcome.lost = sorted({"demo", "acme", "bystander"} - tenants)
        factory.keys["bystander"] = spare
        assert factory.client("bystander").models.list().data, "a key or a deployment is lost"
        checked = factory.run("ledger", "check", check=False)
        outcome.check = "ok" if checked.returncode == 0 else checked.stdout + checked.stderr
    return outcome


def main() -> int:
    """Print one JSON line; exit 1 if a law broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_kills(Path(folder), asked.seed, asked.kills)
    print(json.dumps({"soak": "kills", "holds": outcome.holds, **asdict(outcome)}))
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main())

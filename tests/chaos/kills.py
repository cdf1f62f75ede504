"""Seeded `kill -9` of every role in every phase, under mixed load, and the laws of the books after.

Phases inside a system call are hit from outside: `strace` delivers the signal inside the chosen
commit (between append and sync, in SQLite's commit, in a rename) or holds its return back until the
kill. Nothing in the factory knows that it is being tested.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from inland.adapters.processes.client import SupervisorClient
from inland.domain.errors import InlandError
from inland.ports.runner import ProcessView
from tests.chaos.changes import BYSTANDER, Changes
from tests.chaos.laws import Laws, hold_books, ready, settle
from tests.chaos.load import Callers
from tests.chaos.sums import Sums
from tests.factory.running import MODEL, Running, running
from tests.patience import PATIENCE_S, until

#: For so long strace holds a commit's return back, in microseconds, for the kill to land there.
HELD_US = 400_000
STRACE_S = 20
#: The system calls with which a gateway commits its journal, and control everything it keeps.
GATEWAY_COMMIT = "pwritev2,fdatasync"
CONTROL_COMMIT = "fdatasync,fsync"
#: Calm traffic before each kill lasts up to this long, in seconds.
CALM_S = 1.0
GATEWAYS = 4
#: Keys that do not work are asked with more often than one address may.
MANY = 1_000_000


@dataclass
class Killing:
    """One factory under load, and the dice that choose."""

    factory: Running
    callers: Callers
    dice: random.Random
    gateways: int
    broken: list[str] = field(default_factory=list)  # changes that returned and did not hold
    unplaced: list[str] = field(default_factory=list)  # kills that landed, but not where meant

    def views(self, role: str) -> list[ProcessView]:
        """The living processes of `role`."""
        socket = self.factory.home / "run" / "supervisor.sock"
        return [p for p in SupervisorClient(socket).processes() if p.role == role and p.pid]

    def pid(self, role: str) -> int:
        """One process of `role`, by chance. Waits for one where all are dead."""
        pid = self.dice.choice(self.living(role)).pid
        assert pid is not None
        return pid

    def living(self, role: str) -> list[ProcessView]:
        """As `views`, once there are some, and the supervisor says so."""
        found: list[ProcessView] = []

        def lives() -> bool:
            with suppress(InlandError):
                found[:] = self.views(role)
            return bool(found)

        until(lives, f"no {role} came back")
        return found

    def kill(self, role: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid(role), signal.SIGKILL)

    def up_again(self) -> None:
        """After the supervisor's end: its children end with it, and a person starts it again."""
        self.factory.up("--gateways", str(self.gateways))


Phase = Callable[[Killing, str], None]


def under_load(k: Killing, role: str) -> None:
    """Any time while callers ask."""
    time.sleep(k.dice.random())
    _end(k, role)


def idle(k: Killing, role: str) -> None:
    """Nobody asks anything."""
    k.callers.calm.set()
    time.sleep(1 + k.dice.random())
    _end(k, role)
    k.callers.calm.clear()


def during_start(k: Killing, role: str) -> None:
    """Twice: the second one lands before what replaced the first is ready."""
    _end(k, role)
    time.sleep(k.dice.random() * 0.8)
    _end(k, role)


def during_change(k: Killing, role: str) -> None:
    """While keys are revoked, a tenant suspended and policies replaced."""
    with Changes(k.factory, k.dice.randint(0, 1 << 30)) as changes:
        time.sleep(0.4 + k.dice.random())
        _end(k, role)
        time.sleep(0.5)
        ready(k.factory)
    k.broken += changes.broken


def during_drain(k: Killing, role: str) -> None:
    """While `inland down` lets answers end; a person starts the factory again."""
    pid = k.pid(role)
    argv = [str(Path(sys.executable).with_name("inland")), "down", "--home", str(k.factory.home)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        time.sleep(0.3 + k.dice.random() * 0.7)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    k.up_again()


def mid_stream(k: Killing, role: str) -> None:
    """While streams are flowing."""
    while k.callers.streaming.acquire(blocking=False):
        pass
    for _ in range(k.dice.randint(1, 6)):
        k.callers.streaming.acquire(timeout=PATIENCE_S)
    _end(k, role)


def queued(k: Killing, role: str) -> None:
    """While more is asked than there are slots, so some of it waits."""
    _crowded(k, role, 12, 200, 0.6 + k.dice.random() * 0.4)


def before_first_byte(k: Killing, role: str) -> None:
    """While requests have been sent and the engine still reads their prompts."""
    _crowded(k, role, 4, 24, 0.01 + k.dice.random() * 0.04)


def _crowded(k: Killing, role: str, threads: int, max_tokens: int, wait_s: float) -> None:
    seed = k.dice.randint(0, 1 << 30)
    with Callers(k.factory, seed, threads=threads, max_tokens=max_tokens) as crowd:
        time.sleep(wait_s)
        _end(k, role)
        ready(k.factory)
    k.callers.received.extend(crowd.received)
    k.callers.wrong.extend(crowd.wrong)


def before_sync(k: Killing, role: str) -> None:
    """Inside the commit: what it appended may be there, and nobody was told."""
    calls = GATEWAY_COMMIT if role == "gateway" else CONTROL_COMMIT
    _traced(k, role, calls, "signal=KILL", f"when={k.dice.randint(1, 12)}")


def after_sync(k: Killing, role: str) -> None:
    """The sync is done and whoever asked for it has not been told."""
    calls = GATEWAY_COMMIT if role == "gateway" else CONTROL_COMMIT
    _traced(k, role, calls, f"delay_exit={HELD_US}", f"when={k.dice.randint(1, 12)}")


def in_sql_commit(k: Killing, role: str) -> None:
    """Inside the transaction that books: a write to the database's log, or its sync."""
    path = ["-P", str(k.factory.home / "inland.db-wal")]
    when = f"when={k.dice.randint(1, 20)}"
    _traced(k, role, "pwrite64,fdatasync,fsync", "signal=KILL", when, where=path)


def in_rename(k: Killing, role: str) -> None:
    """As a checkpoint, a tile or the remembered head takes its place."""
    when = f"when={k.dice.randint(1, 4)}"
    _traced(k, role, "rename,renameat,renameat2", "signal=KILL", when)


def hangs_up(k: Killing, role: str) -> None:
    """A caller's process is killed while it reads a stream."""
    program = (
        "import sys,httpx\n"
        "with httpx.Client(trust_env=False) as h:\n"
        "  with h.stream('POST',sys.argv[1],headers={'authorization':'Bearer '+sys.argv[2]},"
        "json={'model':sys.argv[3],'messages':[{'role':'user','content':'Tell.'}],"
        "'max_tokens':400,'stream':True}) as a:\n"
        "    for line in a.iter_lines(): print(line,flush=True)\n"
    )
    url = f"{k.factory.url}/v1/chat/completions"
    argv = [sys.executable, "-c", program, url, k.factory.keys[BYSTANDER], MODEL]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdout is not None
        select.select([client.stdout], [], [], PATIENCE_S)
        time.sleep(k.dice.random() * 0.3)
        client.kill()


def _end(k: Killing, role: str) -> None:
    if role == "supervisor":
        children = [p.pid for r in ("control", "gateway", "engine") for p in k.living(r)]
        k.kill(role)
        left: list[str] = []

        def gone() -> bool:
            left[:] = [was for pid in children if pid and (was := _alive(pid))]
            return not left

        until(gone, "children outlive their supervisor")
        k.up_again()
    else:
        k.kill(role)


def _alive(pid: int) -> str:
    """What still runs as `pid`, and its state; nothing if it ended, even if unreaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
    state = stat.rpartition(")")[2].split()[0]
    return "" if state in {"Z", "X"} else f"{pid} ({state}) {command}"


def _traced(
    k: Killing, role: str, calls: str, *inject: str, where: list[str] | None = None
) -> None:
    """Kill one process of `role` inside one of `calls`, by strace's fault `inject`."""
    pid = k.pid(role)
    fault = ":".join([f"inject={calls}", *inject])
    argv = ["strace", "-f", "-qq", *(where or []), "-e", f"trace={calls}", "-e", fault]
    with subprocess.Popen([*argv, "-p", str(pid)], stderr=subprocess.PIPE) as trace:
        assert trace.stderr is not None
        end = time.monotonic() + STRACE_S
        while time.monotonic() < end and trace.poll() is None:
            if select.select([trace.stderr], [], [], 0.1)[0] and (
                b"DELAYED" in os.read(trace.stderr.fileno(), 65536)
            ):
                break
        if time.monotonic() >= end:
            k.unplaced.append(f"{role} made none of {calls} within {STRACE_S} s")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        trace.kill()  # one that only ends would keep the dead from being reaped


_ANY: tuple[Phase, ...] = (under_load, idle, during_start, during_change, during_drain)
#: Who is killed when: everybody at any time, and each where it has most to lose.
KILLS: tuple[tuple[str, Phase], ...] = (
    *(
        ("gateway", phase)
        for phase in (before_sync, mid_stream, after_sync, queued, before_first_byte, *_ANY)
    ),
    *(("control", phase) for phase in (in_sql_commit, before_sync, in_rename, after_sync, *_ANY)),
    *(("engine", phase) for phase in (mid_stream, queued, before_first_byte, *_ANY)),
    *(("supervisor", phase) for phase in (mid_stream, queued, *_ANY)),
    ("client", hangs_up),
)
#: One of each role, and each phase inside a system call: what `make test` runs.
SMALL: tuple[tuple[str, Phase], ...] = (
    ("gateway", before_sync),
    ("control", in_sql_commit),
    ("gateway", after_sync),
    ("engine", mid_stream),
    ("control", during_change),
    ("gateway", during_start),
    ("supervisor", under_load),
    ("control", in_rename),
    ("client", hangs_up),
)


@dataclass
class Outcome:
    """What a run of kills showed."""

    seed: int
    kills: dict[str, dict[str, int]] = field(default_factory=dict)
    laws: Laws = field(default_factory=Laws)
    counted: dict[str, int] = field(default_factory=dict)
    relayed: dict[str, int] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run_kills(
    folder: Path,
    seed: int,
    count: int,
    chosen: tuple[tuple[str, Phase], ...] = KILLS,
    gateways: int = GATEWAYS,
) -> Outcome:
    """`count` seeded kills on a fresh factory in `folder`, then every law."""
    dice, outcome = random.Random(seed), Outcome(seed)
    begun = time.monotonic()
    words, limits = ("--gateways", str(gateways)), {"source_failures_per_minute": MANY}
    with running(folder / "home", *words, **limits) as factory:
        factory.run("tenant", "add", BYSTANDER)
        factory.key(BYSTANDER)
        with (
            Callers(factory, seed, threads=9, mixed=True) as callers,
            Sums(factory) as sums,
        ):
            killing = Killing(factory, callers, dice, gateways)
            _kill(killing, count, chosen, outcome)
        with Changes(factory, seed) as changes:  # whatever broke, changes are possible again
            time.sleep(1.5)
        changes.open_again()
        laws = outcome.laws
        laws.hold("who is refused is told to come back", *callers.wrong)
        laws.hold("a change that returned holds everywhere", *killing.broken, *changes.broken)
        laws.hold("sums never go back unsaid", *sums.went_back)
        settle(factory, gateways, laws)
        outcome.counted = hold_books(factory, callers.received, folder, laws)
        outcome.unplaced = killing.unplaced
        outcome.relayed = dict(sorted(callers.relayed.items()))
        tenants = {t["id"] for t in factory.json("tenant", "list")}
        laws.hold("no tenant is lost", *({"demo", "acme", BYSTANDER} - tenants))
        assert factory.client(BYSTANDER).models.list().data, "a key or a deployment is lost"
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


def _kill(
    killing: Killing, count: int, chosen: tuple[tuple[str, Phase], ...], outcome: Outcome
) -> None:
    for number in range(count):
        role, phase = chosen[number % len(chosen)]
        print(f"kill {number + 1} of {count}: {role} {phase.__name__}", file=sys.stderr)
        time.sleep(killing.dice.random() * CALM_S)
        phase(killing, role)
        table = outcome.kills.setdefault(role, {})
        table[phase.__name__] = table.get(phase.__name__, 0) + 1
        ready(killing.factory)


def main() -> int:
    """Print one JSON line; exit 1 if a law broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gateways", type=int, default=GATEWAYS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_kills(Path(folder), asked.seed, asked.kills, gateways=asked.gateways)
    told = {
        "soak": "kills",
        "holds": outcome.laws.hold_all,
        "seed": asked.seed,
        "count": asked.kills,
        "gateways": asked.gateways,
        "seconds": outcome.seconds,
        "kills": outcome.kills,
        **outcome.counted,
        "relayed": outcome.relayed,
        "unplaced": outcome.unplaced,
        "laws": outcome.laws.verdicts(),
    }
    print(json.dumps(told))
    return 0 if outcome.laws.hold_all else 1


if __name__ == "__main__":
    sys.exit(main())

"""Faults that kill nobody, seeded, under load: a full disk, a read-only one, a failed sync, a clock
that jumps. After each every law of the books holds, or the request failed cleanly and unbilled.
"""

import argparse
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import httpx

from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.identity import start_ticks
from inland.domain.errors import InlandError
from tests.chaos.laws import Laws, hold_books, ready, settle
from tests.chaos.load import Callers, Received
from tests.chaos.wall_clock import LOOK_S, WallClock
from tests.factory.running import MODEL, Running, running
from tests.patience import PATIENCE_S, until

GATEWAYS = 2
#: Keys that do not work are asked with more often than one address may.
MANY = 1_000_000
#: More than the reserve that gateways keep free, and than a factory writes in these minutes.
DISK_MIB = 512
#: For so long a fault lasts, in seconds.
FAULT_S = 4.0
#: What strace may take to let go of a process on a busy machine.
DETACH_S = 60
HOUR_S = 3600
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 2}


@dataclass
class Faulty:
    """A factory that a fault befalls, and what is found broken."""

    factory: Running
    callers: Callers
    dice: random.Random
    laws: Laws
    folder: Path
    clock: WallClock
    seen: dict[str, object] = field(default_factory=dict)

    def pids(self, role: str) -> list[int]:
        """Of the living processes of `role`, in order."""
        socket = self.factory.home / "run" / "supervisor.sock"
        with suppress(InlandError):  # it does not answer just now
            found = SupervisorClient(socket).processes()
            return [p.pid for p in found if p.role == role and p.pid]
        return []

    def ask(
        self, tenant: str = "demo", key: str | None = None, patience_s: float | None = None
    ) -> httpx.Response:
        """One small request of its own, by `tenant` with another `key` of it."""
        headers = {"authorization": f"Bearer {key or self.factory.keys[tenant]}"}
        with self.factory.http(trust_env=False) as http:
            timeout = patience_s or http.timeout
            path = "/v1/chat/completions"
            answer = http.post(path, headers=headers, json=ASK, timeout=timeout)
        if answer.status_code == httpx.codes.OK:
            ref, entry = answer.headers["inland-receipt"], answer.headers["inland-entry"]
            got = Received(tenant, stream=False, ref=ref, entry=entry, whole=True)
            self.callers.received.append(got)
        return answer

    def pid(self, role: str) -> int:
        """Of one of them, once there is one."""
        until(lambda: self.pids(role), f"no {role} came back")
        return self.dice.choice(self.pids(role))

    def until(self, law: str, true: Callable[[], bool]) -> None:
        """Hold `law`: that `true` comes true."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with suppress(httpx.HTTPError, InlandError):
                if true():
                    self.laws.hold(law)
                    return
            time.sleep(0.2)
        self.laws.hold(law, f"not within {PATIENCE_S} s")

    def alarms(self) -> list[str]:
        """What `inland status` warns of; empty while control is away."""
        told = self.factory.run("status", "--json", check=False)
        control = json.loads(told.stdout).get("control") if told.returncode == 0 else None
        return list(control["alarms"]) if control else []

    def said_at_the_end(self) -> list[str]:
        """What gateways logged last, those that ended since too."""
        logs = sorted((self.factory.home / "logs").glob("gateway-*.log*"))
        return [f"{log.name}: {' / '.join(log.read_text().splitlines()[-3:])}" for log in logs]


def full_disk(f: Faulty) -> None:
    """Not a byte is left, then a gateway and control die and must start; then there is room."""
    supervisor = f.pid("supervisor")
    filler = _fill(f.factory.home, f.dice.randrange(1 << 17))
    # One that was let in just before waits for room, as it should: the next is asked soon.
    f.until("a full disk is answered by a 503", lambda: "journal_full" in f.ask(patience_s=3).text)
    f.until("status says that the disk is full", lambda: "full" in "".join(f.alarms()))
    _change_refused(f)
    os.kill(f.pid("gateway"), signal.SIGKILL)
    f.until("a gateway starts on a full disk", lambda: len(f.pids("gateway")) == GATEWAYS)
    time.sleep(FAULT_S)
    os.kill(f.pid("control"), signal.SIGKILL)
    time.sleep(FAULT_S)
    failed = f.factory.run("status", check=False).stdout
    f.laws.hold("nobody is given up for want of room", *([failed] if "failed" in failed else []))
    filler.unlink()
    f.until("it serves again once there is room", lambda: f.ask().status_code == 200)
    same = f.pid("supervisor") == supervisor
    f.laws.hold("no restart is needed", *([] if same else ["the supervisor is another"]))


def _fill(home: Path, left_bytes: int) -> Path:
    filler = home.parent / "filler"
    with filler.open("wb") as file:
        until(lambda: _took(file, home, left_bytes), "others take room whenever it is measured")
        with suppress(OSError):  # what others freed or took meanwhile
            while left_bytes < 4096 and file.write(bytes(4096)):
                file.flush()
    return filler


def _took(file: BinaryIO, home: Path, left_bytes: int) -> bool:
    """All room but so much; not where others took of it between two calls."""
    room = os.statvfs(home)
    try:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - left_bytes)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


def _change_refused(f: Faulty) -> None:
    """A change there is no room for is refused whole; one that found room is in force."""
    done = f.factory.run("key", "add", "--tenant", "acme", check=False)
    trace = "Traceback" in done.stderr + done.stdout
    f.laws.hold("a change without room is refused in a line", *([done.stderr] if trace else []))
    f.seen["a change while full"] = (done.stderr or "made").strip().splitlines()[-1]


def read_only_disk(f: Faulty) -> None:
    """A gateway's writes, then control's too, fail as those to a read-only disk do."""
    gateway = f.pid("gateway")
    with _failing(gateway, "pwritev2,fdatasync", "EROFS"):
        f.until("status says that it is read-only", lambda: "takes no writes" in str(f.alarms()))
        time.sleep(FAULT_S)
    f.until("it serves again once it is writable", lambda: f.alarms() == [])
    with _failing(f.pid("control"), "pwritev2,pwrite64,ftruncate,rename,mkdir", "EROFS"):
        f.until("status says what control cannot write", lambda: f.alarms() != [])
        time.sleep(FAULT_S)
    f.until("control books again once it is writable", lambda: f.alarms() == [])
    alive = gateway in f.pids("gateway")
    f.laws.hold("nobody ended for it", *([] if alive else f.said_at_the_end()))


def failed_sync(f: Faulty) -> None:
    """A write or a sync fails for good: the process ends, and another takes over."""
    gateway = f.pid("gateway")
    when = f"when={f.dice.randint(1, 12)}"
    with _failing(gateway, "pwritev2,fdatasync", "EIO", when):
        f.until("a failed sync ends the gateway", lambda: start_ticks(gateway) is None)
    f.until("another takes its place", lambda: len(f.pids("gateway")) == GATEWAYS)
    with _failing(f.pid("control"), "fdatasync,fsync", "EIO", f"when={f.dice.randint(1, 9)}"):
        time.sleep(FAULT_S)
    f.until("booking goes on after a failed sync", lambda: f.alarms() == [])


@contextmanager
def _failing(pid: int, calls: str, error: str, *when: str) -> Iterator[None]:
    """While inside, these system calls of the process fail with `error`, by strace."""
    fault = ":".join([f"inject={calls}", f"error={error}", *when])
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", fault]
    with subprocess.Popen([*argv, "-p", str(pid)], stderr=subprocess.DEVNULL) as trace:
        time.sleep(0.5)
        try:
            yield
        finally:
            trace.terminate()
            _await_detached(trace, pid)


def _await_detached(trace: "subprocess.Popen[bytes]", pid: int) -> None:
    """Killed in the midst of a call, it would leave it without a number; but it waits for ever for
    a process that ended just as it let go."""
    try:
        trace.wait(DETACH_S)
    except subprocess.TimeoutExpired:
        trace.kill()
        if start_ticks(pid) is not None:
            raise


def jumping_clock(f: Faulty) -> None:
    """The wall clock goes an hour forward, then two back, then is right again."""
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOUR_S // 2))
    key = f.factory.json("key", "add", "--tenant", "acme", "--expires", expires)["key"]
    gateways, cut = f.pids("gateway"), _cut(f)
    jumps = [HOUR_S, -HOUR_S, 0]
    for ahead_s in jumps if f.dice.random() < 0.5 else [-HOUR_S, HOUR_S, 0]:
        f.clock.set(ahead_s)
        time.sleep(10 * LOOK_S)
        status = 401 if ahead_s > 0 else 200
        told = [f.ask("acme", key) for _ in range(6)]
        wrong = [one.text for one in told if one.status_code != status]
        f.laws.hold("a key is good until it expires by the wall clock", *wrong)
        time.sleep(FAULT_S / 2)
    f.laws.hold("no lease is lost", *(r for r in f.callers.wrong if "lease" in r))
    refused = [r for r in f.callers.received if r.refused]
    f.laws.hold("nobody is refused", *([f"{len(refused)} refused"] if refused else []))
    f.laws.hold("no answer is cut", *([f"{_cut(f) - cut} cut"] if _cut(f) > cut else []))
    same = f.pids("gateway") == gateways
    f.laws.hold("nobody ended for it", *([] if same else f.said_at_the_end()))


def _cut(f: Faulty) -> int:
    return sum(r.sent and not r.whole and not r.refused for r in f.callers.received)


FAULTS = {
    "full-disk": full_disk,
    "read-only-disk": read_only_disk,
    "failed-sync": failed_sync,
    "jumping-clock": jumping_clock,
}


def lacks(fault: str) -> str | None:
    """What this machine lacks for `fault`, if anything."""
    if fault == "full-disk" and os.geteuid() != 0:
        return "needs root, to mount a small disk"
    if fault in {"read-only-disk", "failed-sync"} and shutil.which("strace") is None:
        return "needs the Debian package strace"
    return None


@contextmanager
def _disk(folder: Path, fault: str) -> Iterator[Path]:
    """Where the home is: on a small disk of its own for the fault that fills it."""
    place = folder / "disk"
    place.mkdir(mode=0o700)
    if fault != "full-disk":
        yield place
        return
    options = f"size={DISK_MIB}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        _unmount(place)


def _unmount(place: Path) -> None:
    """A process that was told to end may take a moment to let go of its files."""
    unmount = ["umount", str(place)]
    until(lambda: subprocess.run(unmount, check=False).returncode == 0, f"{place} is in use still")


@dataclass
class Outcome:
    """What a fault showed."""

    fault: str
    seed: int
    laws: Laws = field(default_factory=Laws)
    counted: dict[str, int] = field(default_factory=dict)
    seen: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0


def run_fault(folder: Path, fault: str, seed: int) -> Outcome:
    """One fault on a fresh factory under load, then every law."""
    outcome = Outcome(fault, seed)
    begun = time.monotonic()
    clock = WallClock(folder / "clock")
    with _disk(folder, fault) as disk:
        given = clock.environment() if fault == "jumping-clock" else {}
        words, limits = ("--gateways", str(GATEWAYS)), {"source_failures_per_minute": MANY}
        with running(disk / "home", *words, environment=given, **limits) as factory:
            steady = fault == "jumping-clock"
            with Callers(factory, seed, threads=3 if steady else 7, mixed=not steady) as callers:
                time.sleep(1)
                faulty = Faulty(factory, callers, random.Random(seed), outcome.laws, folder, clock)
                FAULTS[fault](faulty)
                ready(factory)
                time.sleep(1)
            outcome.seen = faulty.seen
            outcome.laws.hold("who is refused is told to come back", *callers.wrong)
            settle(factory, GATEWAYS, outcome.laws)
            outcome.counted = hold_books(factory, callers.received, folder, outcome.laws)
    outcome.seconds = round(time.monotonic() - begun, 1)
    return outcome


def main() -> int:
    """Print one JSON line per fault and seed; exit 1 if a law broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", help=" ".join(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=1)
    asked = parser.parse_args()
    broke = False
    for fault in asked.faults or FAULTS:
        for seed in range(asked.seed, asked.seed + asked.times):
            if missing := lacks(fault):
                print(json.dumps({"soak": fault, "seed": seed, "holds": False, "why": missing}))
                broke = True
                continue
            with tempfile.TemporaryDirectory() as folder:
                outcome = run_fault(Path(folder), fault, seed)
            holds = outcome.laws.hold_all
            broke |= not holds
            told = {"soak": fault, "seed": seed, "holds": holds, "seconds": outcome.seconds}
            told |= {**outcome.counted, **outcome.seen, "laws": outcome.laws.verdicts()}
            print(json.dumps(told))
    return int(broke)


if __name__ == "__main__":
    sys.exit(main())

"""`kill -9` while a line runs: of the supervisor, control, an engine, a gateway, the trainer, at
moments drawn by a seed; one JSON line.

Each run is of a tenant of its own, over the same small data, so that it is done whole. However it
was cut it comes to the same adapter, to the byte, and the same scores as the run that nobody cut;
it makes one release; and whoever asks for that release meanwhile is answered as the whole adapter
answers, or told that there is no such model.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx

from inland.adapters.processes import lock
from inland.adapters.processes.client import SupervisorClient
from inland.domain.errors import InlandError
from inland.lines.steps.train import ATTEMPTS
from tests.factory.running import MODEL, Running, running
from tests.patience import until
from tests.training.environment import ROOT, python
from tests.training.line_soak import trainers

EXAMPLES = ROOT / "examples"
#: What of the examples a run has, and how often a run is cut at most.
TRAINED, HELD_OUT, ASKED, CUTS = 16, 4, 6, 5
#: Kills that are asked for where nobody says how many.
KILLS = 50
ROLES = ("supervisor", "control", "engine", "gateway", "trainer")
#: A run on a machine that does much else, with all its cuts, in seconds.
RUN_S = 1800.0
MODEL_NAME = "orders"
LINE = f"""
name = "orders"
base = "{MODEL}"

[data]
train = ["notes"]
holdout = ["holdout"]

[method]
rank = 4
alpha = 8
learning_rate = 0.0015
epochs = 1
batch = 4
max_tokens = 256
rehearsal = 0
checkpoint_steps = 1
seed = 1

[[suite]]
name = "orders"
asset = "suite"

[[gate.score]]
suite = "orders"
least = 0.0

[release]
name = "{MODEL_NAME}"
approve = "gate"
"""


def head(name: str, lines: int) -> str:
    """The beginning of a file of the examples."""
    return "".join((EXAMPLES / "work-orders" / name).read_text().splitlines(keepends=True)[:lines])


@dataclass
class Asker(Thread):
    """Whoever asks for the release, all the time. `texts`: what was answered."""

    factory: Running
    tenant: str
    over: Event = field(default_factory=Event)
    texts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def ask(self) -> str | None:
        """The answer to one question; None where there was none."""
        task = json.loads(head("suite.jsonl", ASKED + 1).splitlines()[-1])
        body = {"model": MODEL_NAME, "messages": task["input"], "max_tokens": 32, "temperature": 0}
        with suppress(httpx.HTTPError), self.factory.http(self.tenant) as http:
            reply = http.post("/v1/chat/completions", json=body)
            if reply.status_code == 200:
                choice = reply.json()["choices"][0]
                return str(choice["message"]["content"])
        return None

    def run(self) -> None:
        while not self.over.wait(0.3):
            text = self.ask()
            if text is not None:
                self.texts[text] += 1


@dataclass
class Cut:
    """Runs of the line and who cuts them. `least_s`: how long one takes that nobody cuts."""

    factory: Running
    folder: Path
    dice: random.Random
    least_s: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    during: Counter[str] = field(default_factory=Counter)
    resumed: int = 0

    def told(self, *words: str) -> Any:
        """What a command says once there is a factory that answers."""
        found: list[Any] = []

        def answers() -> bool:
            done = self.factory.run(*words, "--json", check=False)
            if done.returncode == 0:
                found.append(json.loads(done.stdout))
            return bool(found)

        until(answers, f"{words} is not answered")
        return found[0]

    def declare(self, tenant: str) -> None:
        self.factory.run("tenant", "add", tenant, "--purposes", "serve,train,evaluate")
        self.factory.key(tenant)
        for name, kind, file, lines in (
            ("notes", "dataset", "train.jsonl", TRAINED),
            ("holdout", "dataset", "holdout.jsonl", HELD_OUT),
            ("suite", "suite", "suite.jsonl", ASKED),
        ):
            path = self.folder / file
            path.write_text(head(file, lines))
            words = ("--tenant", tenant, "--name", name, "--kind", kind)
            self.factory.run("asset", "add", str(path), *words)
        line = self.folder / "line.toml"
        line.write_text(LINE)
        self.factory.run("line", "add", str(line), "--tenant", tenant)

    def run(self, tenant: str, cuts: int) -> dict[str, Any]:
        """A run, whole, once it is over; and what its tenant was answered (`texts`)."""
        self.declare(tenant)
        asker = Asker(self.factory, tenant)
        asker.start()
        try:
            begun = self.factory.json("line", "run", "orders", "--tenant", tenant, "--detach")
            whole = self._over(begun["id"], cuts)
            until(asker.ask, "what was released does not answer")
        finally:
            asker.over.set()
            asker.join()
        asker.texts[str(asker.ask())] += 1
        return {**whole, "texts": asker.texts}

    def _over(self, run: str, cuts: int) -> dict[str, Any]:
        end, next_s = time.monotonic() + RUN_S, self._next()
        before = self.killed["trainer"]
        while True:
            whole: dict[str, Any] = self.told("run", "show", run)
            if _gave_up(whole, self.killed["trainer"] - before):  # a person says go
                self.told("run", "resume", run, "--detach")
                self.resumed, before = self.resumed + 1, self.killed["trainer"]
                continue
            if whole["run"]["state"] != "running":
                return whole
            assert time.monotonic() < end, f"run {run} does not end: {whole['run']}"
            if cuts and time.monotonic() >= next_s:
                self._kill(whole)
                cuts, next_s = cuts - 1, self._next()
            time.sleep(0.1)

    def _next(self) -> float:
        return time.monotonic() + self.dice.uniform(0, max(self.least_s / 2, 1))

    def _kill(self, whole: dict[str, Any]) -> None:
        there = self._there()
        role = self.dice.choice([one for one in ROLES if there.get(one)])
        with suppress(ProcessLookupError):
            os.kill(self.dice.choice(there[role]), signal.SIGKILL)
        self.killed[role] += 1
        going = [step["kind"] for step in whole["steps"] if step["ended"] is None]
        self.during[going[-1] if going else "between"] += 1
        if role == "supervisor":  # its children end with it, and a person starts it again
            self.factory.up()

    def _there(self) -> dict[str, list[int]]:
        """The processes that there are, by role."""
        home = self.factory.home
        found: dict[str, list[int]] = {}
        with suppress(InlandError):
            for one in SupervisorClient(home / "run" / "supervisor.sock").processes():
                if one.pid:
                    found.setdefault(one.role, []).append(one.pid)
        if (holder := lock.running(home / "run" / "lock")) is not None:
            found |= {"supervisor": [holder.pid], "trainer": trainers(holder.pid)}
        return found


def _gave_up(whole: dict[str, Any], killed: int) -> bool:
    """Whether it waits for a person: as many of its trainers were killed as are begun anew."""
    told = whole["run"]["state"] == "failed" and "ended with -9" in whole["run"]["why"]
    return told and killed >= ATTEMPTS


def came_to(whole: dict[str, Any]) -> dict[str, Any]:
    """What of a run is the same however it was cut."""
    told = {step["kind"]: step["told"] for step in whole["steps"]}
    same = {kind: told[kind]["scores"] for kind in ("baseline", "evaluate") if kind in told}
    train = {name: told["train"].get(name) for name in ("digest", "safetensors")}
    return {**same, "train": train, "gate": told.get("gate", {}).get("passed")}


def wrong(cut: Cut, tenant: str, whole: dict[str, Any], first: dict[str, Any]) -> list[str]:
    """Which laws a run does not keep."""
    run = whole["run"]
    if run["state"] != "done":
        return [f"{tenant}: its run is {run['state']}: {run['why']}"]
    found = []
    for name, value in came_to(whole).items():
        if value != came_to(first)[name]:
            found.append(f"{tenant}: {name} came to something else")
    releases = cut.told("release", "list", "--tenant", tenant)
    if [(one["state"], one["evidence"]["run"]) for one in releases] != [("live", run["id"])]:
        found.append(f"{tenant}: its releases are {[(o['id'], o['state']) for o in releases]}")
    if other := set(whole["texts"]) - set(first["texts"]):
        found.append(f"{tenant}: it was answered {sorted(other)[:3]}")
    return found


def measure(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """The figure."""
    began = time.monotonic()
    with running(folder / "home") as factory:
        cut = Cut(factory, folder, random.Random(f"{seed} lines"))
        first = cut.run("whole", 0)
        cut.least_s = first["run"]["ended"] - first["run"]["began"]
        broken = wrong(cut, "whole", first, first)
        runs = 0
        while sum(cut.killed.values()) < kills and not broken[10:]:
            left = kills - sum(cut.killed.values())
            tenant = f"cut-{(runs := runs + 1)}"
            broken += wrong(cut, tenant, cut.run(tenant, min(left, CUTS)), first)
        checked = cut.factory.run("ledger", "check", "--json", check=False)
        if not json.loads(checked.stdout)["ok"]:
            broken.append(f"the books do not agree: {checked.stdout[:300]}")
    told = {"soak": "line-kills", "seed": seed, "holds": not broken}
    told |= {"seconds": round(time.monotonic() - began, 1), "runs": runs}
    told |= {"kills": dict(cut.killed), "during": dict(cut.during), "resumed": cut.resumed}
    return told | {"uncut_s": round(cut.least_s, 1), "broken": broken[:10]}


def soak(seed: int, kills: int = KILLS) -> int:
    """Its line; 1 where it does not hold."""
    python()  # where the trainer is not there yet
    with tempfile.TemporaryDirectory(prefix="inl-") as folder:
        figure = measure(Path(folder), kills, seed)
    print(json.dumps(figure), flush=True)
    return int(not figure["holds"])


def main() -> int:
    """As many kills as are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    return soak(asked.seed, asked.kills)


if __name__ == "__main__":
    sys.exit(main())

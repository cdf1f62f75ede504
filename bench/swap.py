"""An adapter put in and taken out while callers ask: what it costs them.

Callers of the base and of a tenant's release ask on, a short pause after each answer. Between quiet
times another tenant's release is approved, and then its adapter erased: each time an engine with
another list takes over. Nobody may be refused; times to first token of whoever asked meanwhile are
held to those of the quiet times before and after. Prints one JSON line.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.adapters import Caller
from bench.engine import cpu_s
from bench.load import percentile
from bench.noisy_neighbour import MODEL, WORDS
from bench.released import Released, adapters, released
from bench.streams import Chat, Endpoint

LOOK_S = 0.1
#: After callers began, before anything is counted.
WARM_S = 3.0


@dataclass(frozen=True)
class Plan:
    """How much of everything. `base` and `released`: callers."""

    slots: int
    context: int
    threads: int
    base: int
    released: int
    tokens: int
    pause_s: float
    quiet_s: float
    rounds: int
    seed: int


@dataclass(frozen=True)
class Span:
    """A time that is looked at; monotonic seconds."""

    what: str
    begin: float
    end: float


@dataclass
class Watch:
    """The engines' processes as they were seen: in each state of their replicas on which cores and
    at which niceness, and the processor seconds that they had used when it ended."""

    factory: Released
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(LOOK_S):
            states = {one["id"]: one["state"] for one in self.factory.replicas()}
            for name, pid in self.factory.engines().items():
                state = states.get(name.removeprefix("engine-"), "ending")
                with suppress(OSError):
                    self.seen.setdefault(name, {})[state] = _where(pid)


def _where(pid: int) -> dict[str, Any]:
    """Cores, niceness and processor seconds of a process. Raises OSError where it is gone."""
    tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    return {
        "cores": sorted({tuple(sorted(os.sched_getaffinity(task))) for task in tasks}),
        "nice": sorted({os.getpriority(os.PRIO_PROCESS, task) for task in tasks}),
        "cpu_s": cpu_s(pid),
    }


class Load:
    """Callers on a loop of their own, until stopped."""

    def __init__(self, plan: Plan, callers: list[Caller]) -> None:
        self.asked: list[Chat] = []
        self._plan, self._callers = plan, callers
        self._dice = random.Random(plan.seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Returns when the last one was answered."""
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._again(one) for one in self._callers))

    async def _again(self, one: Caller) -> None:
        while not self._over.is_set():
            prompt = f"{self._dice.randrange(10**6)}: {' '.join(self._dice.choices(WORDS, k=4))}"
            self.asked.append(await one.ask(prompt, self._plan.tokens))
            await asyncio.sleep(self._dice.uniform(0, 2 * self._plan.pause_s))


def spans(plan: Plan, factory: Released, files: list[Path]) -> list[Span]:
    """Quiet, an adapter in, quiet, the adapter out; as often as planned."""
    found = []

    def take(what: str, act: Callable[[], object]) -> None:
        begin = time.monotonic()
        act()
        found.append(Span(what, begin, time.monotonic()))
        print(f"# {what}: {found[-1].end - begin:.1f} s", flush=True)

    for number in range(plan.rounds):
        release = factory.propose("t1", files[1 + number], f"other-{number}")
        take("quiet", lambda: time.sleep(plan.quiet_s))
        take("in", partial(factory.approve, release["id"]))
        take("quiet", lambda: time.sleep(plan.quiet_s))
        take("out", partial(_out, factory, release["adapter"]))
    take("quiet", lambda: time.sleep(plan.quiet_s))
    return found


def _out(factory: Released, adapter: str) -> None:
    factory.client.erase_asset(adapter)
    factory.settled()


def figures(spans_: list[Span], asked: list[Chat]) -> dict[str, Any]:
    """Times to first token by what went on when they were asked."""
    told: dict[str, Any] = {
        "requests": len(asked),
        "failed": sum(not one.served for one in asked),
        "failures": [_failure(one, spans_) for one in asked if not one.served],
    }
    times: dict[str, list[float]] = {"quiet": [], "in": [], "out": []}
    for one in asked:
        for span in spans_:
            if span.begin <= one.asked < span.end and one.ttft_s is not None:
                times[span.what].append(one.ttft_s * 1e3)
    for what, found in times.items():
        lasted = [span.end - span.begin for span in spans_ if span.what == what]
        told[what] = {
            "requests": len(found),
            "ttft_ms_p50": round(percentile(found, 0.5), 1),
            "ttft_ms_p95": round(percentile(found, 0.95), 1),
            "ttft_ms_max": round(max(found), 1),
            "seconds": [round(one, 1) for one in lasted] if what != "quiet" else sum(lasted),
        }
    for what in ("in", "out"):
        told[what]["ttft_ms_p95_added"] = round(
            told[what]["ttft_ms_p95"] - told["quiet"]["ttft_ms_p95"], 1
        )
    return told


def _failure(one: Chat, spans_: list[Span]) -> dict[str, Any]:
    """What went on when it was asked and when it failed, and what it was told."""

    def during(at: float) -> str:
        return next((span.what for span in spans_ if span.begin <= at < span.end), "before")

    return {
        "asked": during(one.asked),
        "ended": during(one.ended),
        "seconds": round(one.ended - one.asked, 1),
        "status": one.status,
        "tokens": len(one.tokens),
        "told": one.answer.decode(errors="replace")[:300],
    }


def run(plan: Plan, folder: Path) -> dict[str, Any]:
    """All rounds, in one factory."""
    files = adapters(folder / "adapters", 1 + plan.rounds, plan.seed)
    with released(plan.slots, plan.context, folder / "home") as factory:
        mine, other = factory.tenants(2)
        factory.approve(factory.propose("t0", files[0])["id"])
        of_base = Endpoint(other.address, MODEL, other.key)
        callers = [Caller(of_base)] * plan.base + [Caller(mine)] * plan.released
        load, watch = Load(plan, callers), Watch(factory)
        watching = threading.Thread(target=watch.run)
        load.begin()
        watching.start()
        try:
            time.sleep(WARM_S)
            found = spans(plan, factory, files)
        finally:
            load.end()
            watch.over.set()
            watching.join()
    load_1m = round(os.getloadavg()[0], 1)
    return {**figures(found, load.asked), "engines": watch.seen, "load_1m": load_1m}


def asked_for() -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", type=int, default=3, help="callers of the base")
    parser.add_argument("--released", type=int, default=1, help="callers of the release that stays")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--pause-s", type=float, default=0.3)
    parser.add_argument("--quiet-s", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    return Plan(**vars(parser.parse_args()))


def main() -> None:
    """Print the configuration, then one JSON line."""
    plan = asked_for()
    config = {"bench": "swap", "cores": sorted(os.sched_getaffinity(0)), **asdict(plan)}
    print(f"# {json.dumps(config)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as name:
        told = run(plan, Path(name))
    print(json.dumps({**config, **told}))


if __name__ == "__main__":
    main()

"""Streamed events a second that one core carries: the whole factory beside nginx, in one run.

1,000 streams, one token an event, each event a write of its own by an upstream that keeps a
timetable. The rate rises until the server falls behind; at half of what it carried, and at half of
what one core is to carry at least, how late events come is noted. Prints what is on at each side,
then one JSON line.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import serve
from bench.gateway import fdatasync_us_p50
from bench.load import percentile
from bench.paced import Order

ON = {
    "inland": "API key, Cedar decision, admission, each event decoded, bounded, counted and "
    "written anew, HMAC commitments, opening fdatasynced before the first byte and record before "
    "the end, batch and signed checkpoint each second",
    "nginx": "proxy_pass with proxy_buffering off, nothing logged, nothing else",
}
#: A server keeps up while what is under way, when the last event is written, is less than this.
BEHIND_S = 0.1
#: A run counts while the generator is no further behind its own timetable than this.
GENERATOR_LATE_S = 0.05
FIRST_RATE = 5_000.0
GROWTH = 1.4
#: Rates tried between the last that was carried and the first that was not.
HALVINGS = 3
#: The most a deployment may have; at least as many as streams.
SLOTS = 1024
#: Streams and tokens of the run that keeps no timetable.
UNPACED_STREAMS, UNPACED_TOKENS = 32, 2000
#: Events a second that one core is to carry at least.
PROMISED_RATE = 40_000.0


@dataclass(frozen=True)
class Plan:
    """What is run, on which cores, and how long each rate is tried."""

    streams: int
    seconds: float
    server_core: int
    load_core: int

    def tokens(self, rate: float) -> int:
        """Of each stream, at `rate` events a second over all of them."""
        return max(2, round(rate * self.seconds / self.streams))


class Generator:
    """The upstream and the readers, a process of their own."""

    def __init__(self, plan: Plan, program: "subprocess.Popen[str]") -> None:
        self._plan, self._program = plan, program

    def run(
        self, target: serve.Target, streams: int, tokens: int, rate: float, *, timed: bool = False
    ) -> dict[str, Any]:
        """What came of one order."""
        order = Order(target.port, target.key, target.model, streams, tokens, rate, timed)
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(asdict(order)) + "\n")
        self._program.stdin.flush()
        line = self._program.stdout.readline()
        if not line:
            raise SystemExit(f"{target.name}: the generator gave up")
        seen: dict[str, Any] = json.loads(line)
        return seen

    def paced(self, target: serve.Target, rate: float, *, timed: bool = False) -> dict[str, Any]:
        """`rate` events a second over all streams, for as long as planned."""
        plan = self._plan
        return self.run(target, plan.streams, plan.tokens(rate), rate, timed=timed)


@contextmanager
def generator(plan: Plan, folder: Path) -> Iterator[tuple[Generator, serve.Target]]:
    """It runs inside the block, and listens as the target `direct`."""
    direct = serve.Target("direct", serve.free_port(), "none", "m")
    argv = serve.pinned(plan.load_core, sys.executable, "-m", "bench.paced", "--port")
    with (
        (folder / "generator.log").open("wb") as log,
        subprocess.Popen(
            [*argv, str(direct.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=serve.HERE.parent,
        ) as program,
    ):
        serve.await_answer(direct, folder / "generator.log")
        yield Generator(plan, program), direct
        assert program.stdin is not None
        program.stdin.close()


@dataclass
class Carried:
    """The most a server carried, and why no more is known: the server, or the generator."""

    events_per_s: float = 0.0
    limit: str = "server"
    events: int = 0  # of all that was run


def carried(plan: Plan, pacer: Generator, target: serve.Target) -> Carried:
    """Rises until the server, or the generator, falls behind; then halves between."""
    best, low, rate, halvings = Carried(), 0.0, FIRST_RATE, 0
    beyond: float | None = None
    while halvings <= HALVINGS:
        seen = pacer.paced(target, rate)
        best.events += seen["events"]
        if seen["generator_late_s"] > GENERATOR_LATE_S:
            best.limit, keeps_up = "generator", False  # not counted
        else:
            keeps_up = seen["backlog"] <= rate * BEHIND_S
            best.limit = best.limit if keeps_up else "server"
        print(f"# {target.name} at {rate:.0f}/s: {'carried' if keeps_up else best.limit}")
        if keeps_up:
            best.events_per_s = max(best.events_per_s, seen["events"] / seen["took_s"])
            low = rate
        else:
            beyond = rate
        halvings += beyond is not None
        rate = low * GROWTH if beyond is None else (low + beyond) / 2
        time.sleep(0.5)
    return best


def late(pacer: Generator, target: serve.Target, rate: float) -> dict[str, float]:
    """Milliseconds from due to read, and between events of one stream, at `rate`."""
    seen = pacer.paced(target, rate, timed=True)
    # In the first tenth all streams have just begun at once, in the last all end at once.
    lateness, gaps = (_middle(seen[name]) for name in ("late_s", "gap_s"))
    return {
        "late_p50": percentile(lateness, 0.5) * 1e3,
        "late_p99": percentile(lateness, 0.99) * 1e3,
        "gap_p50": percentile(gaps, 0.5) * 1e3,
        "gap_p99": percentile(gaps, 0.99) * 1e3,
    }


def _middle(noted: list[float]) -> list[float]:
    return noted[len(noted) // 10 : -(len(noted) // 10)]


def unpaced(pacer: Generator, target: serve.Target) -> dict[str, float]:
    """Events written as fast as they are taken; how many of them one read of a caller brings."""
    seen = pacer.run(target, UNPACED_STREAMS, UNPACED_TOKENS, 0)
    return {
        "events_per_s": round(seen["events"] / seen["took_s"]),
        "events_per_read": round(seen["events"] / seen["reads"], 2),
    }


def side(
    plan: Plan, pacer: Generator, direct: serve.Target, target: serve.Target
) -> tuple[dict[str, Any], int]:
    """All figures of one server, and how many events it carried for them."""
    most = carried(plan, pacer, target)
    rates = {"half": most.events_per_s / 2, "half_of_promised": PROMISED_RATE / 2}
    added = {name: later(pacer, direct, target, rate) for name, rate in rates.items()}
    free = unpaced(pacer, target)
    figures: dict[str, Any] = {
        "events_per_s": round(most.events_per_s),
        "limit": most.limit,
        **added,
        "unpaced": free,
    }
    print(f"# {target.name}: {figures}")
    timed = sum(plan.streams * plan.tokens(rate) for rate in rates.values())
    return figures, most.events + timed + UNPACED_STREAMS * UNPACED_TOKENS


def later(
    pacer: Generator, direct: serve.Target, target: serve.Target, rate: float
) -> dict[str, float]:
    """How much later events come through a server than from the upstream itself, at `rate`."""
    alone, through = late(pacer, direct, rate), late(pacer, target, rate)
    return {
        "rate": round(rate),
        "added_inter_token_p99_ms": round(through["gap_p99"] - alone["gap_p99"], 3),
        "added_late_p50_ms": round(through["late_p50"] - alone["late_p50"], 3),
        "added_late_p99_ms": round(through["late_p99"] - alone["late_p99"], 3),
    }


def hold_books_to(factory: serve.Factory, events: int) -> int:
    """Completion tokens booked; each event that was carried must be among them."""
    factory.requests_booked()
    rows = json.loads(factory.run("usage", "--tenant", "bench", "--json"))
    booked: int = sum(row["completion_tokens"] for row in rows)
    if booked < events:
        raise SystemExit(f"{events} tokens were delivered and {booked} are on the books")
    return booked


def run(plan: Plan, only: set[str], folder: Path) -> dict[str, Any]:
    """Every side named in `only`, one after the other."""
    figures: dict[str, Any] = {"fdatasync_p50_us": round(fdatasync_us_p50(folder))}
    with ExitStack() as stack:
        pacer, direct = stack.enter_context(generator(plan, folder))
        ceiling = carried(plan, pacer, direct)
        figures["generator_events_per_s"] = round(ceiling.events_per_s)
        figures["generator_unpaced"] = unpaced(pacer, direct)
        if "nginx" in only:
            more = "proxy_buffering off;"
            with serve.nginx(plan.server_core, folder, direct, more) as target:
                figures["nginx"], _ = side(plan, pacer, direct, target)
        if "inland" in only:
            room = 4 * plan.streams
            limits = dict.fromkeys(
                ("connections", "connections_per_tenant", "source_connections"), room
            )
            with serve.inland(plan.server_core, folder, direct, SLOTS, **limits) as factory:
                before = factory.cpu_s()
                figures["inland"], events = side(plan, pacer, direct, factory.target)
                after = factory.cpu_s()
                used = {name: round(total - before[name], 1) for name, total in after.items()}
                figures["cpu_s_of_inland"] = used
                figures["tokens_booked"] = hold_books_to(factory, events)
    return figures | compared(figures)


def compared(figures: dict[str, Any]) -> dict[str, Any]:
    """What Inland carries of what nginx does, where that was the limit of both: of whom the
    generator could not drive further nobody knows how much more there is."""
    sides = [figures.get(name, {"events_per_s": 0}) for name in ("inland", "nginx")]
    if not all(one["events_per_s"] and one["limit"] == "server" for one in sides):
        return {}
    inland, nginx = (one["events_per_s"] for one in sides)
    return {"ratio_nginx": round(inland / nginx, 3)}


def main() -> int:
    """Print the configuration, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(ON), choices=list(ON))
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4.0, help="at each rate")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    words = parser.parse_args()
    plan = Plan(words.streams, words.seconds, words.server_core, words.load_core)
    serve.demand_programs()
    config = {
        "bench": "stream",
        "load": "one token an event, each event a write of its own, due at a fixed rate over all "
        "streams; behind: more than 100 ms of events under way when the last is written",
        "upstream": "bench/paced.py, which is also the callers; a run it was too slow for is not "
        "counted",
        "versions": serve.versions(litellm=False),
        "on": {name: ON[name] for name in words.only},
        **asdict(plan),
    }
    print(f"# {json.dumps(config)}")
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as folder:
        figures = run(plan, set(words.only), Path(folder))
    print(json.dumps(config | figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

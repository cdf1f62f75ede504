"""Governed requests/s of the whole factory on one core, beside nginx and the LiteLLM proxy.

All in one run: server on one core, load and upstream on another, 32 and 256 keep-alive connections,
non-streamed chat, each server warmed, not one failure allowed. Prints what is on at each side, then
one JSON line.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from bench import load, serve

#: What stands between a caller and the upstream at each side.
ON = {
    "inland": "API key, Cedar decision, admission, token meter, HMAC commitments, record "
    "fdatasynced before the answer ends, batch and signed checkpoint each second",
    "nginx": "proxy_pass with upstream keep-alive, nothing logged, nothing else",
    "litellm": "API key (master key), routing, its callbacks; no database, nothing durable",
}
#: Connections: few, and as many as the deployment has slots.
WIDTHS = (32, 256)
SYNCS = 200
RECORD_BYTES = 1500


@dataclass(frozen=True)
class Plan:
    """How long everything runs, in seconds, and on which cores."""

    server_core: int
    load_core: int
    warm_s: int
    measure_s: int
    latency_s: float


def fdatasync_us_p50(folder: Path) -> float:
    """Median microseconds to append a record's worth of bytes and fdatasync it, in `folder`."""
    taken = []
    with (folder / "probe").open("wb", buffering=0) as probe:
        for _ in range(SYNCS):
            start = time.perf_counter()
            probe.write(b"x" * RECORD_BYTES)
            os.fdatasync(probe.fileno())
            taken.append(time.perf_counter() - start)
    return load.percentile(taken, 0.5) * 1e6


def measured_rate(plan: Plan, target: serve.Target, connections: int) -> load.Rate:
    """The rate of a warmed `target`; ends the bench if one request failed."""
    warmed = load.rate(plan.load_core, target, plan.warm_s, connections)
    seen = load.rate(plan.load_core, target, plan.measure_s, connections)
    if warmed.failures or seen.failures:
        raise SystemExit(f"{target.name}: {warmed.failures + seen.failures} requests failed")
    took = f"p50 {seen.p50_us} µs, p99 {seen.p99_us} µs"
    print(f"# {target.name}, {connections} connections: {seen.rps:.0f} requests/s, {took}")
    return seen


def measured_rates(plan: Plan, target: serve.Target) -> dict[int, load.Rate]:
    """The same at each width."""
    return {width: measured_rate(plan, target, width) for width in WIDTHS}


def shown(name: str, rates: dict[int, load.Rate]) -> dict[str, float]:
    """Rates as the line has them."""
    return {f"rps_{name}_{width}": round(rate.rps, 1) for width, rate in rates.items()}


def measured_latency(plan: Plan, target: serve.Target, rps: float) -> load.Latency:
    """Latency at a fixed rate; ends the bench if one request failed."""
    seen = load.latency(plan.load_core, target, rps, plan.latency_s)
    print(f"# {target.name} at {rps:.0f}/s: p50 {seen.p50_us:.0f} µs, p99 {seen.p99_us:.0f} µs")
    return seen


def hold_books_to(factory: serve.Factory, answered: int) -> int:
    """Requests booked; every one that was answered must be among them."""
    booked = factory.requests_booked()
    if booked < answered:
        raise SystemExit(f"{answered} requests were answered and {booked} are on the books")
    return booked


def inland_side(plan: Plan, folder: Path, upstream: serve.Target) -> dict[str, object]:
    """The factory's rate, what it adds to latency at half of that, and what its books say."""
    with serve.inland(plan.server_core, folder, upstream) as factory:
        before = factory.cpu_s()
        rates = measured_rates(plan, factory.target)
        used = {name: total - before[name] for name, total in factory.cpu_s().items()}
        half = rates[WIDTHS[0]].rps / 2
        direct = measured_latency(plan, upstream, half)
        governed = measured_latency(plan, factory.target, half)
        booked = hold_books_to(factory, sum(rate.requests for rate in rates.values()))
    return {
        **shown("inland", rates),
        "half_load_rps": round(half, 1),
        "added_latency_p50_us": round(governed.p50_us - direct.p50_us),
        "added_latency_p99_us": round(governed.p99_us - direct.p99_us),
        "requests_booked": booked,
        "cpu_s_of_inland": {name: round(seconds, 1) for name, seconds in used.items()},
    }


def run(plan: Plan, only: set[str], folder: Path) -> dict[str, object]:
    """Every side named in `only`, one after the other."""
    figures: dict[str, object] = {"fdatasync_p50_us": round(fdatasync_us_p50(folder))}
    with ExitStack() as stack:
        upstream = stack.enter_context(serve.upstream(plan.load_core, folder))
        figures |= shown("direct", measured_rates(plan, upstream))
        if "nginx" in only:
            with serve.nginx(plan.server_core, folder, upstream) as target:
                figures |= shown("nginx", measured_rates(plan, target))
        if "inland" in only:
            figures |= inland_side(plan, folder, upstream)
        if "litellm" in only:
            with serve.litellm(plan.server_core, folder, upstream) as target:
                figures |= shown("litellm", measured_rates(plan, target))
    for peer, width in product(("litellm", "nginx"), WIDTHS):
        ours, theirs = figures.get(f"rps_inland_{width}"), figures.get(f"rps_{peer}_{width}")
        if isinstance(ours, float) and isinstance(theirs, float):
            figures[f"ratio_{peer}_{width}"] = round(ours / theirs, 3)
    return figures


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(ON), choices=list(ON))
    parser.add_argument("--warm-s", type=int, default=5)
    parser.add_argument("--measure-s", type=int, default=15)
    parser.add_argument("--latency-s", type=float, default=10)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Print the configuration, then one JSON line."""
    words = asked()
    plan = Plan(words.server_core, words.load_core, words.warm_s, words.measure_s, words.latency_s)
    serve.demand_programs()
    serve.install_litellm()
    config = {
        "bench": "gateway",
        "connections": WIDTHS,
        "load": "rates: wrk, closed loop; latency: open loop, timed from when due, at half of "
        "rps_inland_32, less the same on the upstream itself",
        "upstream": "nginx, a constant answer",
        "versions": serve.versions(),
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

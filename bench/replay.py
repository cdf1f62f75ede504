"""A public trace replayed by three tenants under contract: does the report say what callers saw?

`--trace` is a CSV of arrival, prompt tokens and generated tokens, as in the Azure Public Dataset's
AzureLLMInferenceTrace_conv. Arrivals are stretched in time and lengths divided until the load fits
the engine's measured capacity; both factors are printed. Each minute of each contract is judged
twice: by the factory from its records, and here from what callers saw. Where a measured value is
more than 10 % from its objective both must agree. Prints one JSON line.
"""

import argparse
import asyncio
import csv
import json
import math
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.load import percentile
from bench.noisy_neighbour import MODEL, WORDS, Factory
from bench.streams import Chat, Endpoint, chat

MINUTE_S = 60
#: A value this near its objective may be judged either way.
MARGIN = 0.1
#: Arrivals this near a minute's end may count for its neighbour.
EDGE_S = 0.05
#: Part of the measured capacity that the replay asks for.
UTILISATION = 0.6
LEAST_TOKENS = 2
#: Tokens of a chat's template, by the model's own count.
TEMPLATE_TOKENS = 31
#: Records are booked each second.
BOOKED_S = 3.0


@dataclass(frozen=True)
class Sold:
    """A tenant and what it bought. `part`: of the trace's requests."""

    tenant: str
    part: float
    tokens_per_second: int
    ttft_ms: int | None


@dataclass(frozen=True)
class Arrival:
    """One request of the replay: when it comes, seconds from the start, and how long it is."""

    at_s: float
    tenant: str
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True)
class Row:
    """One request of the trace."""

    at_s: float
    prompt_tokens: int
    answer_tokens: int


def trace(path: Path) -> list[Row]:
    """The trace, from its first arrival."""
    with path.open(newline="") as file:
        told = list(csv.DictReader(file))
    times = [
        datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC).timestamp()
        for row in told
    ]
    return [
        Row(at - times[0], int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for at, row in zip(times, told, strict=True)
    ]


@dataclass(frozen=True)
class Fit:
    """The two factors: arrivals come `stretch` times slower, lengths are divided by `divisor`."""

    stretch: float
    divisor: float


def fitted(rows: list[Row], stretch: float, prefill: float, decode: float) -> Fit:
    """Lengths divided so that `UTILISATION` of an engine of these tokens/s is asked for."""
    span_s = rows[-1].at_s * stretch
    template = len(rows) * TEMPLATE_TOKENS / prefill
    busy_s = sum(row.prompt_tokens / prefill + row.answer_tokens / decode for row in rows)
    room_s = UTILISATION * span_s - template
    if room_s <= 0:
        raise SystemExit("too many requests for this engine: a larger --stretch")
    return Fit(stretch, max(1.0, busy_s / room_s))


def arrivals(
    rows: list[Row], fit: Fit, sold: list[Sold], seconds: float, seed: int
) -> list[Arrival]:
    """The replay's first `seconds`, each request given to a tenant by chance."""
    dice = random.Random(seed)
    names, parts = [one.tenant for one in sold], [one.part for one in sold]
    return [
        Arrival(
            row.at_s * fit.stretch,
            dice.choices(names, parts)[0],
            max(LEAST_TOKENS, round(row.prompt_tokens / fit.divisor)),
            max(LEAST_TOKENS, round(row.answer_tokens / fit.divisor)),
        )
        for row in rows
        if row.at_s * fit.stretch < seconds
    ]


@dataclass(frozen=True)
class Seen:
    """One request as its caller saw it; `unix_s` is when its last byte was sent."""

    unix_s: float
    chat: Chat


async def replay(
    plan: list[Arrival], doors: dict[str, Endpoint], seed: int
) -> dict[str, list[Seen]]:
    """Every request at its time, whatever became of those before."""
    dice = random.Random(seed)
    seen: dict[str, list[Seen]] = defaultdict(list)
    start = time.monotonic()

    async def one(arrival: Arrival, body: dict[str, Any]) -> None:
        told = await chat(doors[arrival.tenant], body)
        unix_s = time.time() - (time.monotonic() - told.asked)
        seen[arrival.tenant].append(Seen(unix_s, told))

    tasks = []
    for number, arrival in enumerate(plan):
        prompt = " ".join(dice.choices(WORDS, k=arrival.prompt_tokens))
        body = {
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": arrival.answer_tokens,
            "stream_options": {"include_usage": True},
        }
        await asyncio.sleep(max(0.0, start + arrival.at_s - time.monotonic()))
        tasks.append(asyncio.create_task(one(arrival, body)))
        if number % 200 == 0:
            print(f"# {arrival.at_s:.0f} s: {number} of {len(plan)} requests", flush=True)
    await asyncio.gather(*tasks)
    return seen


@dataclass(frozen=True)
class Report:
    """The factory's verdicts by minute (Unix seconds: met, or why not), and of the terms it judged
    by what the command line does not say: what a prompt token is charged, in tokens, and how many
    tokens/s an answer is to get."""

    minutes: dict[int, str]
    prompt_charge: float
    stream_tokens_per_s: float


def judged(
    sold: Sold, seen: list[Seen], report: Report, prompt_tokens: int
) -> Iterator[tuple[int, bool]]:
    """Minutes that callers can judge for themselves, and whether each was met.

    Breached: something lost, or the 95th percentile of times to first token more than 10 % above
    its objective. Met: that percentile more than 10 % below, and surely nothing owed (`_lacks`).
    What is nearer, or asks for more than was sold, is left to the report.
    """
    for minute, inside in sorted(_by_minute(seen).items()):
        if any(_near_an_edge(one.unix_s) for one in inside):
            continue
        if any(not one.chat.served for one in inside):
            yield minute, False
            continue
        asked = sum(_charge(one, report) for one in inside)
        if sold.ttft_ms is None or asked > sold.tokens_per_second * MINUTE_S:
            continue
        times = [
            (one.chat.ttft_s or math.inf) * 1e3
            for one in inside
            if (one.chat.usage or {}).get("prompt_tokens", 0) <= prompt_tokens
        ]
        if not times:
            continue
        off = percentile(times, 0.95) / sold.ttft_ms - 1
        if off > MARGIN:
            yield minute, False
        elif off < -MARGIN and not any(_lacks(one, minute, sold, report) for one in seen):
            yield minute, True


def _by_minute(seen: list[Seen]) -> dict[int, list[Seen]]:
    minutes: dict[int, list[Seen]] = defaultdict(list)
    for one in seen:
        minutes[int(one.unix_s // MINUTE_S)].append(one)
    return minutes


def _charge(one: Seen, report: Report) -> float:
    usage = one.chat.usage or {}
    completion: int = usage.get("completion_tokens", 0)
    prompt: int = usage.get("prompt_tokens", 0)
    return completion + prompt * report.prompt_charge


def _lacks(one: Seen, minute: int, sold: Sold, report: Report) -> bool:
    """Whether a request may be owed something in that minute: it waits at its end for longer than
    the objective allows, or its answer runs in it, and slower than an answer is to run."""
    begin, end = minute * MINUTE_S, (minute + 1) * MINUTE_S
    first = one.unix_s + (one.chat.ttft_s or math.inf)
    ended = one.unix_s + one.chat.ended - one.chat.asked
    if one.unix_s < end < first:
        return (end - one.unix_s) * 1e3 > (1 - MARGIN) * (sold.ttft_ms or math.inf)
    if ended < begin or first > end:
        return False
    tokens: int = (one.chat.usage or {}).get("completion_tokens", 0)
    return tokens < (1 + MARGIN) * report.stream_tokens_per_s * (ended - first)


def _near_an_edge(unix_s: float) -> bool:
    within = unix_s % MINUTE_S
    return within < EDGE_S or within > MINUTE_S - EDGE_S


def compared(
    sold: list[Sold],
    seen: dict[str, list[Seen]],
    reports: dict[str, Report],
    prompt_tokens: int,
) -> dict[str, Any]:
    """How often both were sure, and every minute on which they differ."""
    told: dict[str, Any] = {}
    for one in sold:
        counts: Counter[str] = Counter()
        differ = []
        report = reports[one.tenant]
        for minute, met in judged(one, seen[one.tenant], report, prompt_tokens):
            said = report.minutes.get(minute * MINUTE_S, "not exercised")
            counts["met" if met else "breached"] += 1
            if (said == "met") != met:
                differ.append({"minute_unix_s": minute * MINUTE_S, "report": said, "callers": met})
        told[one.tenant] = {
            "requests": len(seen[one.tenant]),
            "lost": sum(not chat.chat.served for chat in seen[one.tenant]),
            "compared": dict(counts),
            "reported": dict(Counter(report.minutes.values())),
            "differ": differ,
        }
    return told


def reported(factory: Factory, tenant: str) -> Report:
    """What the factory's records say of its month."""
    month = datetime.now(UTC).strftime("%Y-%m")
    words = ["contract", "report", "--tenant", tenant, "--month", month, "--json"]
    (contract,) = json.loads(factory.run(*words))["contracts"]
    minutes = {one["minute_unix_s"]: one["cause"] or "met" for one in contract["minutes"]}
    return Report(minutes, contract["prompt_ppm"] / 1e6, contract["stream_ppm"] / 1e6)


def run(words: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole of it."""
    factory = Factory(words.slots, words.context, folder / "home")
    try:
        doors = {name: factory.tenant(name) for name in ("steady", "tight", "open")}
        points = json.loads(factory.run("deploy", "measure", MODEL, "--json"))["profile"]["points"]
        decode = max(point["decode_tokens_per_s"] for point in points)
        prefill = max(point["prefill_tokens_per_s"] for point in points)
        alone_ms = words.prompt_tokens / prefill * 1e3
        sold = [
            Sold("steady", 0.4, words.steady_tokens_per_second, round(words.steady * alone_ms)),
            Sold("tight", 0.2, words.tight_tokens_per_second, round(words.tight * alone_ms)),
            Sold("open", 0.4, 0, None),
        ]
        rows = trace(words.trace)
        fit = fitted(rows, words.stretch, prefill, decode)
        plan = arrivals(rows, fit, sold, words.seconds, words.seed)
        print(f"# {len(plan)} requests, {asdict(fit)}", flush=True)
        for one in sold:
            factory.sell(one.tenant, one.tokens_per_second, one.ttft_ms, words.prompt_tokens)
        time.sleep(MINUTE_S - time.time() % MINUTE_S)  # the one it was sold in is not judged
        seen = asyncio.run(replay(plan, doors, words.seed))
        time.sleep(MINUTE_S - time.time() % MINUTE_S + BOOKED_S)
        reports = {one.tenant: reported(factory, one.tenant) for one in sold}
    finally:
        factory.run("down")
    found = compared(sold, seen, reports, words.prompt_tokens)
    agree = not any(one["differ"] for one in found.values())
    return {
        "requests": len(plan),
        **asdict(fit),
        "decode_tokens_per_s": decode,
        "prefill_tokens_per_s": prefill,
        "sold": [asdict(one) for one in sold],
        "agree": agree,
        "tenants": found,
    }


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--stretch", type=float, default=6.0)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    times = "TTFT objective, in times of what reading such a prompt alone takes"
    parser.add_argument("--steady", type=float, default=4.0, help=times)
    parser.add_argument("--tight", type=float, default=2.0, help=times)
    parser.add_argument("--steady-tokens-per-second", type=int, default=15)
    parser.add_argument("--tight-tokens-per-second", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Print one JSON line."""
    words = asked()
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as folder:
        figures = run(words, Path(folder))
    print(json.dumps({"bench": "replay", "trace": words.trace.name, **figures}))


if __name__ == "__main__":
    main()

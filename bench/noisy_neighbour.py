"""A quiet tenant with an objective beside 32 flooding streams, and what its objective costs.

All in one run, with the same model, threads and core: bare llama.cpp with ever more slots gives the
frontier (a quiet caller's time to first token against tokens/s of all). Then a factory whose quiet
tenant has bought a time to first token, once for each objective. Tokens are counted by the engine.
Prints what is on at each side, then one JSON line.
"""

import argparse
import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from bench import serve
from bench.engine import bare, engine_core
from bench.load import percentile
from bench.streams import Chat, Endpoint, chat
from inland.adapters.llama_cpp.probe import counters

MODEL = "smollm2"
ON = {
    "bare": "llama.cpp's own server: its queue, its slots, nothing else",
    "inland": "API key, Cedar decision, admission by contract, token meter, HMAC commitments, "
    "record fdatasynced before the answer ends, batch and signed checkpoint each second",
}
WORDS = "harbour river mountain lighthouse winter ladder copper garden letter silence".split()
#: Lengths: of a flooding prompt and its answer, of a quiet one and its answer. Short prompts, and
#: completions, which no template makes longer: one core of the machine this was written on reads a
#: hundred and seventy prompt tokens a second, so that nobody can promise 100 ms for more.
FLOOD_WORDS, FLOOD_TOKENS, QUIET_WORDS, QUIET_TOKENS = 4, 96, 4, 8
#: The prompts that the quiet tenant's objective is for, in tokens.
QUIET_PROMPT_TOKENS = 10
#: A bare server's queue makes a quiet caller wait for minutes: each of its points ends after this.
BARE_S = 45.0
#: Between a quiet answer and the next question.
PAUSE_S = 0.3
#: After the flood has begun, before anything is counted.
WARM_S = 5.0
REFUSED_PAUSE_S = 0.2


@dataclass(frozen=True)
class Plan:
    """How much of everything. `bare_slots`: the frontier's points. `quiet_tokens_per_s`: what the
    quiet tenant buys with each objective, for which slots are kept."""

    slots: int
    context: int
    threads: int
    flood: int
    quiet: int
    bare_quiet: int
    bare_slots: tuple[int, ...]
    objectives_ms: tuple[int, ...]
    quiet_tokens_per_s: tuple[int, ...]
    seed: int


@dataclass
class Window:
    """What was seen while the quiet tenant asked. Refused floods may be refused: quiet never."""

    quiet: list[Chat] = field(default_factory=list)
    flood: list[Chat] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        """The figures of one side."""
        times = [one.ttft_s * 1e3 for one in self.quiet if one.ttft_s is not None]
        gaps = [
            (b - a) * 1e3
            for one in self.flood
            for a, b in zip(one.tokens, one.tokens[1:], strict=False)
        ]
        return {
            "quiet_requests": len(self.quiet),
            "quiet_refused": sum(not one.served for one in self.quiet),
            "quiet_ttft_ms_p50": round(percentile(times, 0.5), 1),
            "quiet_ttft_ms_p95": round(percentile(times, 0.95), 1),
            "quiet_ttft_ms_p99": round(percentile(times, 0.99), 1),
            "tokens_per_s": round(self.tokens / self.seconds, 1),
            "flood_refused": sum(not one.served for one in self.flood),
            "flood_step_ms_p50": round(median(gaps), 1) if gaps else None,
        }


class Load:
    """Seeded chats: no two prompts are alike, so no cache serves them."""

    def __init__(self, plan: Plan, counted: str) -> None:
        """`counted`: the socket of the engine whose tokens count."""
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._counted = counted

    def _body(self, words: int, tokens: int) -> dict[str, Any]:
        prompt = "Tell of: " + " ".join(self._dice.choices(WORDS, k=words))
        return {"prompt": prompt, "max_tokens": tokens, "stream_options": {"include_usage": True}}

    async def quiet(self, endpoint: Endpoint, count: int, limit_s: float = inf) -> list[Chat]:
        """One after the other, a pause between; none is begun after `limit_s`."""
        told: list[Chat] = []
        end = time.monotonic() + limit_s
        while len(told) < count and time.monotonic() < end:
            told.append(await chat(endpoint, self._body(QUIET_WORDS, QUIET_TOKENS)))
            await asyncio.sleep(PAUSE_S)
        return told

    async def _stream(self, endpoint: Endpoint, told: list[Chat]) -> None:
        while True:
            one = await chat(endpoint, self._body(FLOOD_WORDS, FLOOD_TOKENS))
            told.append(one)
            if not one.served:
                await asyncio.sleep(REFUSED_PAUSE_S)

    @asynccontextmanager
    async def _flood(self, endpoint: Endpoint, told: list[Chat]) -> AsyncIterator[None]:
        streams = [
            asyncio.create_task(self._stream(endpoint, told)) for _ in range(self._plan.flood)
        ]
        try:
            await asyncio.sleep(WARM_S)
            yield
        finally:
            for stream in streams:
                stream.cancel()
            for stream in streams:
                with suppress(asyncio.CancelledError):
                    await stream

    async def window(
        self, quiet: Endpoint, flood: Endpoint, count: int, limit_s: float = inf
    ) -> Window:
        """`count` quiet requests beside the flood, or as many as begin within `limit_s`."""
        seen = Window()
        async with self._flood(flood, seen.flood):
            warmed = len(seen.flood)
            start, before = time.monotonic(), counters(self._counted)["completion"]
            seen.quiet = await self.quiet(quiet, count, limit_s)
            seen.seconds = time.monotonic() - start
            seen.tokens = counters(self._counted)["completion"] - before
            del seen.flood[:warmed]
        return seen


def bare_point(plan: Plan, slots: int, model: Path, folder: Path) -> dict[str, Any]:
    """One point of the frontier."""
    at = folder / f"bare-{slots}"
    sized = bare(MODEL, model, at, slots=slots, context=plan.context, threads=plan.threads)
    with sized as (_, address):
        here = Endpoint(address, MODEL)
        seen = asyncio.run(Load(plan, address).window(here, here, plan.bare_quiet, BARE_S))
    told = {"slots": slots, **seen.told()}
    print(f"# bare, {slots} slots: {json.dumps(told)}", flush=True)
    return told


class Factory:
    """A running factory with one engine of so many slots and tokens in each. `limits`: of
    factory.toml, beside its defaults."""

    def __init__(self, slots: int, context: int, home: Path, **limits: int) -> None:
        self._home = home
        self._port = serve.free_port()
        self.run("up", "--detach", "--port", str(self._port))
        self.run("down")
        declared = home / "factory.toml"
        text = serve.with_limits(declared.read_text(), limits)
        for name, value in (("slots", slots), ("context", context)):
            text = re.sub(rf"(?m)^{name} = \d+", f"{name} = {value}", text)
        declared.write_text(text)
        self.run("up", "--detach", "--port", str(self._port))

    def run(self, *words: str) -> str:
        """`inland WORDS`; what it printed."""
        return serve.inland_says(None, self._home, *words)

    def tenant(self, name: str) -> Endpoint:
        """A new tenant's way in."""
        self.run("tenant", "add", name)
        told = json.loads(self.run("key", "add", "--tenant", name, "--json"))
        return Endpoint(self._port, MODEL, told["key"])

    @property
    def engine(self) -> str:
        """The engine's own socket."""
        return str(self._home / "run" / f"engine-{MODEL}-0.sock")

    def sell(
        self, tenant: str, tokens_per_second: int, ttft_ms: int | None, prompt_tokens: int
    ) -> str:
        """A contract; returns its id."""
        words = ["--tenant", tenant, "--deployment", MODEL, "--prompt-tokens", str(prompt_tokens)]
        words += ["--tokens-per-second", str(tokens_per_second)]
        words += [] if ttft_ms is None else ["--ttft-ms", str(ttft_ms)]
        told: str = json.loads(self.run("contract", "add", *words, "--json"))["id"]
        return told


def governed(plan: Plan, folder: Path) -> dict[str, Any]:
    """The factory's side: the quiet tenant alone, then beside the flood under each objective."""
    factory = Factory(plan.slots, plan.context, folder / "home")
    told: dict[str, Any] = {}
    try:
        quiet, flood = factory.tenant("quiet"), factory.tenant("flood")
        told["profile"] = json.loads(factory.run("deploy", "measure", MODEL, "--json"))
        load = Load(plan, factory.engine)
        alone = Window(quiet=asyncio.run(load.quiet(quiet, plan.bare_quiet)), seconds=1)
        told["alone"] = {k: v for k, v in alone.told().items() if k.startswith("quiet")}
        print(f"# alone: {json.dumps(told['alone'])}", flush=True)
        for objective_ms, bought in zip(plan.objectives_ms, plan.quiet_tokens_per_s, strict=True):
            contract = factory.sell("quiet", bought, objective_ms, QUIET_PROMPT_TOKENS)
            seen = asyncio.run(load.window(quiet, flood, plan.quiet)).told()
            factory.run("contract", "remove", contract)
            step = seen["flood_step_ms_p50"] or 0.0
            seen["floor_ms"] = round(step + told["alone"]["quiet_ttft_ms_p50"], 1)
            told[f"objective_{objective_ms}_ms"] = seen
            print(f"# objective {objective_ms} ms: {json.dumps(seen)}", flush=True)
    finally:
        factory.run("down")
    return told


def verdicts(points: list[dict[str, Any]], told: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Each objective's figures beside its own time alone and the bare engine's throughput."""
    best = max(point["tokens_per_s"] for point in points)
    found = {}
    for objective_ms in plan.objectives_ms:
        seen = told[f"objective_{objective_ms}_ms"]
        # the bare engine at the number of slots whose step is nearest to what was chosen here
        step = seen["flood_step_ms_p50"] or 0.0
        near = min(points, key=lambda point: abs((point["flood_step_ms_p50"] or 0.0) - step))
        found[f"{objective_ms}"] = {
            "p95_over_alone": round(
                seen["quiet_ttft_ms_p95"] / told["alone"]["quiet_ttft_ms_p95"], 2
            ),
            "bare_slots_nearest": near["slots"],
            "tokens_over_bare_there": round(seen["tokens_per_s"] / near["tokens_per_s"], 3),
            "tokens_over_bare_best": round(seen["tokens_per_s"] / best, 3),
        }
    return found


def asked() -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--flood", type=int, default=32)
    parser.add_argument("--quiet", type=int, default=500)
    parser.add_argument("--bare-quiet", type=int, default=60, help="requests at each bare point")
    parser.add_argument("--bare-slots", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--objectives-ms", type=int, nargs="+", default=[100, 250])
    parser.add_argument(
        "--quiet-tokens-per-s",
        type=int,
        nargs="+",
        default=[30, 11],
        help="bought with each objective; by default what one question at a time takes there",
    )
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    return Plan(
        words.slots,
        words.context,
        words.threads,
        words.flood,
        words.quiet,
        words.bare_quiet,
        tuple(words.bare_slots),
        tuple(words.objectives_ms),
        tuple(words.quiet_tokens_per_s),
        words.seed,
    )


def main() -> None:
    """Print the configuration, then one JSON line."""
    plan = asked()
    config = {"bench": "noisy_neighbour", "on": ON, "engine_cores": engine_core(plan.threads)}
    print(f"# {json.dumps({**config, **asdict(plan)})}", flush=True)
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as name:
        folder = Path(name)
        told = governed(plan, folder)
        (model,) = (folder / "home" / "models").glob("*.gguf")
        points = [bare_point(plan, slots, model, folder) for slots in plan.bare_slots]
    figures = {"frontier": points, **told, "verdicts": verdicts(points, told, plan)}
    print(json.dumps({**config, **asdict(plan), **figures}))


if __name__ == "__main__":
    main()

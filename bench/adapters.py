"""Many tenants' adapters over one base: whose answer each gets, and tokens/s beside bare llama.cpp.

Both sides have the same model, adapters, slots, threads and core, and take turns in one run. First
every adapter's greedy answer through the factory is held to that of a bare engine: to one that has
them all, and of some to one that has that alone. Then callers who ask again as soon as they are
answered: one of each adapter, so that no two can share a batch, and several of each, so that some
can. Tokens are counted by the engines. Prints what is on at each side, then one JSON line.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.engine import bare, cpu_s, engine_core
from bench.load import percentile
from bench.noisy_neighbour import MODEL, WORDS
from bench.released import RANKS, Released, adapters, released
from bench.streams import Chat, Endpoint, chat
from inland.adapters.llama_cpp.probe import counters

ON = {
    "bare": "llama.cpp's own server: its queue, its slots, an adapter by `lora`, nothing else",
    "inland": "API key, Cedar decision, admission, token meter, HMAC commitments, record "
    "fdatasynced before the answer ends, batch and signed checkpoint each second",
}
PROMPT = "The seven seas are"
#: Beside factory.toml's defaults. Nobody is refused for its wait: a bare engine refuses nobody
#: either, and a turn of all callers may take nearly as long as anyone waits by default.
LIMITS = {"queue_s": 600}
#: What Inland comes to of what is bare: by the clock, and by the engine's processor time.
RATIOS = {"ratio": "tokens_per_s", "ratio_cpu": "tokens_per_engine_cpu_s"}


@dataclass(frozen=True)
class Plan:
    """How much of everything. `shared`: callers of each adapter where they are several. `answers`:
    that each side gives in a round."""

    adapters: int
    slots: int
    context: int
    threads: int
    callers: int
    shared: int
    tokens: int
    rounds: int
    answers: int
    alone: int
    seed: int


@dataclass(frozen=True)
class Caller:
    """Who asks: where, and what is in each of its requests besides."""

    endpoint: Endpoint
    more: dict[str, Any] = field(default_factory=dict)

    async def ask(self, prompt: str, tokens: int) -> Chat:
        """Greedy, streamed, counted."""
        body = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, **self.more}
        return await chat(self.endpoint, {**body, "stream_options": {"include_usage": True}})


def at_bare(address: str, count: int) -> list[Caller]:
    """One caller for each adapter of a bare engine."""
    here = Endpoint(address, MODEL)
    return [Caller(here, {"lora": [{"id": number, "scale": 1.0}]}) for number in range(count)]


async def answers(callers: Sequence[Caller], tokens: int, *, at_once: bool = False) -> list[str]:
    """What each is answered to the one prompt."""
    if at_once:
        told = await asyncio.gather(*(one.ask(PROMPT, tokens) for one in callers))
    else:
        told = [await one.ask(PROMPT, tokens) for one in callers]
    for one in told:
        if not one.served:
            raise SystemExit(f"an answer failed: {one.status} {one.answer!r}")
    return [one.text for one in told]


@dataclass
class Seen:
    """What came of one side's callers in one round. `gaps_s`: the longest in each answer."""

    tokens: int = 0
    seconds: float = 0.0
    ttft_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)

    def add(self, one: Chat) -> None:
        """One more was answered."""
        if not one.served or one.ttft_s is None:
            raise SystemExit(f"an answer failed: {one.status} {one.answer!r}")
        self.ttft_s.append(one.ttft_s)
        gaps = [b - a for a, b in zip(one.tokens, one.tokens[1:], strict=False)]
        self.gaps_s.append(max([0.0, *gaps]))


async def window(plan: Plan, callers: Sequence[Caller], engine: str, seed: str) -> Seen:
    """All `callers` ask again and again, until so many answers were asked for and all are there. No
    two prompts begin alike, so no cache serves them."""
    seen, dice, left = Seen(), random.Random(seed), iter(range(plan.answers))

    async def again(one: Caller) -> None:
        for _ in left:
            prompt = f"{dice.randrange(10**6)}: {' '.join(dice.choices(WORDS, k=4))}"
            seen.add(await one.ask(prompt, plan.tokens))

    start, before = time.monotonic(), counters(engine)["completion"]
    await asyncio.gather(*(again(one) for one in callers))
    seen.seconds = time.monotonic() - start
    seen.tokens = counters(engine)["completion"] - before
    return seen


@dataclass(frozen=True)
class Side:
    """One of the two: a caller for each adapter, the engine that counts, and its process."""

    name: str
    callers: list[Caller]
    engine: str
    pid: int


def mixes(plan: Plan) -> dict[str, list[int]]:
    """By name which adapter each caller asks."""
    several = plan.callers // plan.shared
    return {
        "one_of_each": [number % plan.adapters for number in range(plan.callers)],
        "several_of_each": [number % several for number in range(plan.callers)],
    }


def measured(plan: Plan, mix: str, adapter_of: list[int], sides: list[Side]) -> dict[str, Any]:
    """Both sides in turn, the first one another each round: tokens/s, and how long callers wait."""
    rounds: list[dict[str, Any]] = []
    for number in range(plan.rounds):
        told: dict[str, Any] = {}
        for side in sides if number % 2 == 0 else reversed(sides):
            callers = [side.callers[one] for one in adapter_of]
            before = cpu_s(side.pid)
            seen = asyncio.run(window(plan, callers, side.engine, f"{plan.seed} {mix} {number}"))
            told[side.name] = _figures(seen, cpu_s(side.pid) - before)
        for ratio, of in RATIOS.items():
            told[ratio] = round(told["inland"][of] / told["bare"][of], 3)
        told["load_1m"] = round(os.getloadavg()[0], 1)
        print(f"# {mix}, round {number}: {json.dumps(told)}", flush=True)
        rounds.append(told)
    return {
        **{ratio: median(one[ratio] for one in rounds) for ratio in RATIOS},
        **{
            side.name: {
                what: median(one[side.name][what] for one in rounds)
                for what in rounds[0][side.name]
            }
            for side in sides
        },
        "ratios": {ratio: [one[ratio] for one in rounds] for ratio in RATIOS},
        "load_1m": [one["load_1m"] for one in rounds],
    }


def _figures(seen: Seen, used_s: float) -> dict[str, Any]:
    return {
        "tokens_per_s": round(seen.tokens / seen.seconds, 1),
        "tokens_per_engine_cpu_s": round(seen.tokens / used_s, 1),
        "seconds": round(seen.seconds, 1),
        "ttft_s_p50": round(percentile(seen.ttft_s, 0.5), 2),
        "ttft_s_max": round(max(seen.ttft_s), 2),
        "gap_s_max": round(max(seen.gaps_s), 2),
    }


def verified(
    plan: Plan, model: Path, files: list[Path], sides: list[Side], folder: Path
) -> dict[str, Any]:
    """Whose answer each got: asked one by one, and all at once."""
    by_name = {side.name: side for side in sides}
    wanted = asyncio.run(answers(by_name["bare"].callers, plan.tokens))
    got = asyncio.run(answers(by_name["inland"].callers, plan.tokens))
    at_once = asyncio.run(answers(by_name["inland"].callers, plan.tokens, at_once=True))
    alone = [
        _alone(plan, model, file, folder / f"alone-{number}")
        for number, file in enumerate(files[: plan.alone])
    ]
    others = [set(wanted) - {own} for own in wanted]
    told = {
        "different_answers": len(set(wanted)),
        "own": sum(one == own for one, own in zip(got, wanted, strict=True)),
        "own_at_once": sum(one == own for one, own in zip(at_once, wanted, strict=True)),
        "anothers": sum(
            one in rest
            for answered in (got, at_once)
            for one, rest in zip(answered, others, strict=True)
        ),
        "alone": len(alone),
        "own_of_alone": sum(one == own for one, own in zip(got, alone, strict=False)),
    }
    print(f"# {json.dumps(told)}", flush=True)
    if told["own"] != len(files) or told["own_of_alone"] != len(alone) or told["anothers"]:
        raise SystemExit("somebody was not answered by its own adapter")
    return told


def _alone(plan: Plan, model: Path, file: Path, folder: Path) -> str:
    """What an engine answers that has one adapter and no other."""
    sized = {"slots": 1, "context": plan.context, "threads": plan.threads}
    with bare(MODEL, model, folder, **sized, adapters=(str(file),)) as (_, address):
        (told,) = asyncio.run(answers(at_bare(address, 1), plan.tokens))
    return told


@contextmanager
def both(plan: Plan, factory: Released, files: list[Path], folder: Path) -> Iterator[list[Side]]:
    """The factory's side and the bare one; both engines are there, one at a time is asked."""
    began = time.monotonic()
    ways = factory.tenants(len(files))
    proposed = [factory.propose(f"t{n}", file)["id"] for n, file in enumerate(files)]
    factory.approve(*proposed)
    print(f"# {len(files)} releases live after {time.monotonic() - began:.0f} s", flush=True)
    (pid,) = factory.engines().values()
    inland = Side("inland", [Caller(way) for way in ways], factory.engine, pid)
    sized = {"slots": plan.slots, "context": plan.context, "threads": plan.threads}
    named = tuple(map(str, files))
    model = _model(folder)
    with bare(MODEL, model, folder / "bare", **sized, adapters=named) as (process, address):
        yield [inland, Side("bare", at_bare(address, len(files)), address, process)]


def _model(folder: Path) -> Path:
    (found,) = (folder / "home" / "models").glob("*.gguf")
    return found


def run(plan: Plan, folder: Path) -> dict[str, Any]:
    """Everything, in one factory."""
    files = adapters(folder / "adapters", plan.adapters, plan.seed)
    told: dict[str, Any] = {"adapter_bytes": sum(one.stat().st_size for one in files)}
    with (
        released(plan.slots, plan.context, folder / "home", **LIMITS) as factory,
        both(plan, factory, files, folder) as sides,
    ):
        told["answers"] = verified(plan, _model(folder), files, sides, folder)
        for mix, adapter_of in mixes(plan).items():
            told[mix] = measured(plan, mix, adapter_of, sides)
    return told


def asked() -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapters", type=int, default=64)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--shared", type=int, default=4, help="callers of an adapter, if several")
    parser.add_argument("--tokens", type=int, default=24, help="of an answer, at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answers", type=int, default=192, help="of each side in a round")
    parser.add_argument("--alone", type=int, default=8, help="adapters given an engine each, too")
    parser.add_argument("--seed", type=int, default=1)
    return Plan(**vars(parser.parse_args()))


def main() -> None:
    """Print the configuration, then one JSON line."""
    plan = asked()
    config = {"bench": "adapters", "on": ON, "limits": LIMITS, "ranks": RANKS, **asdict(plan)}
    config["engine_cores"] = engine_core(plan.threads)
    print(f"# {json.dumps(config)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="inland-bench-") as name:
        figures = run(plan, Path(name))
    print(json.dumps({**config, **figures}))


if __name__ == "__main__":
    main()

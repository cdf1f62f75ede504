"""A gateway before a lying engine: every lie, streamed and whole, and the laws of what comes of it.

The gateway and its engines' clients are the real ones, on the loop of this process; an honest
request to the same server runs beside each lie.
"""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inland.adapters.egress.door import Door
from inland.adapters.llama_cpp.client import LlamaCpp
from inland.adapters.openai.client import OpenAI
from inland.adapters.vllm.client import Vllm
from inland.domain.limits import Limits
from inland.domain.plant import Deployment, EngineKind, Feature, Replica, ReplicaState
from inland.domain.snapshot import Snapshot
from inland.gateway.counts import TEMPLATE_TOKENS
from inland.ports.engine import Engine
from tests.chaos.liars import HONEST, Liar, Lie
from tests.patience import PATIENCE_S, until_here
from tests.unit.gateway.world import HERE, Reply, World, caller, snapshot, world

MAX_TOKENS = 8
#: What the gateway gives a request in all, where a lie may have no end.
TOTAL_S = 2.0
#: Lies told at the same time.
AT_ONCE = 6
#: How much the process may grow over all lies, in MiB: most of it is the liar's own.
GROWTH_MIB = 300
#: How a refusal of the gateway's may look: the engine failed, is away or slow, or refused.
LATE = 504
CLEAN = {400: "engine_refused", 502: "engine_failed", 503: "engine_lost", LATE: "timeout"}


@dataclass
class Told:
    """What came of one lie."""

    lie: str
    kind: EngineKind
    stream: bool
    status: int = 0
    ended: str = ""
    billed: int | None = None
    beside: int = 0

    def __str__(self) -> str:
        how = "streamed" if self.stream else "whole"
        return f"{self.lie} ({self.kind.value}, {how}): {self.status} {self.ended} {self.billed}"


def _snapshot(kind: EngineKind, address: str, names: Iterable[str]) -> Snapshot:
    url = address if kind is EngineKind.OPENAI else None
    deployments = {
        name: Deployment(name, kind, "smollm2", HERE, 4, 4096, url=url, supports=(Feature.CHAT,))
        for name in names
    }
    replicas = {
        name: Replica(name, name, ReplicaState.READY, address, HERE) for name in deployments
    }
    return replace(snapshot(), version=2, deployments=deployments, replicas=replicas)


@asynccontextmanager
async def _before(
    liar: Liar, kind: EngineKind, folder: Path, total_s: float
) -> AsyncIterator[World]:
    """A gateway all of whose models are served by `liar`."""
    path = str(folder / "liar.sock")
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    servers = (
        await asyncio.start_unix_server(liar.talk, path),
        await asyncio.start_server(liar.talk, sock=listening),
    )
    engines: dict[EngineKind, Engine] = {
        EngineKind.LLAMA_CPP: LlamaCpp(),
        EngineKind.OPENAI: OpenAI(Door(lambda *_: ("rule",), why="test")),
        EngineKind.VLLM: Vllm(),
    }
    limits = replace(Limits(), answer_s=total_s, rest_ms=10, drain_s=0.2)
    async with world(limits, engines=engines) as made:
        address = url if kind is EngineKind.OPENAI else path
        made.apply(_snapshot(kind, address, [*liar.lies, HONEST]))
        yield made
        await liar.close()
    for server in servers:
        server.close()


def _body(model: str, *, stream: bool) -> bytes:
    asked = {"model": model, "messages": [{"role": "user", "content": "Hello?"}]}
    return json.dumps(asked | {"max_tokens": MAX_TOKENS, "stream": stream}).encode()


async def _ask(to: World, model: str, *, stream: bool) -> Reply:
    async with asyncio.timeout(PATIENCE_S), caller(to) as one:
        one.ask(_body(model, stream=stream))
        got = await one.head()
        if "content-length" in got.headers:
            got.body = await one.reader.readexactly(int(got.headers["content-length"]))
        else:
            try:
                while more := await one.chunk():
                    got.body += more
                got.body += b"\n: whole"
            except (asyncio.IncompleteReadError, ValueError):
                pass  # cut, which is how a caller sees that it is not whole
        return got


async def _tell(to: World, told: Told) -> list[str]:
    """Ask for one lie, and the truth beside it; the laws that broke."""
    reply, beside = await asyncio.gather(
        _ask(to, told.lie, stream=told.stream), _ask(to, HONEST, stream=not told.stream)
    )
    if beside.status not in {200, LATE}:  # a machine that does much else may lose one, and no more
        beside = await _ask(to, HONEST, stream=not told.stream)
    told.status, told.beside = reply.status, beside.status
    broken = _judge_reply(reply, told)
    words = beside.body.count(b"word ")
    is_late = not told.stream and not beside.body.endswith(b"\n: whole")
    if beside.status == 200 and not is_late and words != MAX_TOKENS:
        broken.append(f"an honest answer beside it had {words} words")
    return [f"{told}: {law}" for law in broken]


def _judge_reply(reply: Reply, told: Told) -> list[str]:
    if reply.status != 200:
        error = json.loads(reply.body)["error"]
        told.ended = error["code"]
        if CLEAN.get(reply.status) != error["code"]:
            return [f"not a clean refusal: {error}"]
        return []
    if not told.stream:
        told.ended = "complete"
        return []
    text = reply.body.decode()
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line[:5] == "data:"]
    is_whole = text.endswith("\n: whole")
    if lines and lines[-1] == "[DONE]":
        told.ended = "complete"
        return [] if is_whole else ["an answer that says that it is whole was cut"]
    told.ended = "cut"
    if is_whole:
        return ["an answer that is not whole was ended as if it were"]
    return [] if lines and "error" in json.loads(lines[-1]) else ["a cut stream says no error"]


def _judge_records(records: list[dict[str, Any]], told: Told) -> list[str]:
    """At most one; billed only what was asked for, and only where the caller has it."""
    if not records:
        return [] if told.ended not in {"complete", "cut"} else ["it is not on the books"]
    record, *more = records
    broken = ["more than one record"] if more else []
    if told.ended != "complete" and record["billed"]:
        broken.append("billed without an answer")
    if told.ended == "complete" and record["outcome"] != "complete":
        broken.append(f"complete for the caller, {record['outcome']} on the books")
    if record["billed"]:
        told.billed = record["completion_tokens"]
        most = len(_body(told.lie, stream=told.stream)) + TEMPLATE_TOKENS
        if not 0 <= record["completion_tokens"] <= MAX_TOKENS:
            broken.append("more tokens billed than asked for")
        if not 0 <= record["cached_tokens"] <= record["prompt_tokens"] <= most:
            broken.append("more prompt billed than there can be")
    return broken


def _running(to: World) -> list[str]:
    """What still runs in the gateway."""
    series = to.gateway.metrics()["gauges"]["requests_running"]["series"]
    return [f"{name} still runs {count}" for (name,), count in series if count]


async def _hold(
    kind: EngineKind, folder: Path, lies: Mapping[str, Lie], total_s: float
) -> tuple[list[Told], list[str]]:
    told = [Told(name, kind, stream) for name in lies for stream in (True, False)]
    turns = asyncio.Semaphore(AT_ONCE)
    async with _before(Liar(lies), kind, folder, total_s) as to:

        async def in_turn(one: Told) -> list[str]:
            async with turns:
                return await _tell(to, one)

        broken = [law for laws in await asyncio.gather(*map(in_turn, told)) for law in laws]
        harmed = [f"{one}: {one.beside}" for one in told if one.beside not in {200, LATE}]
        if harmed:  # late some may be: the liar's own work slows everybody down
            broken.append(f"honest requests were refused: {harmed}")
        await until_here(lambda: not _running(to), "what was given up runs on")
        while (after := await _ask(to, HONEST, stream=False)).status == LATE:
            pass  # the machine does much else; pytest ends it where it never comes
        if after.status != 200:
            broken.append(f"an honest request after them was {after.status}")
        for one in told:
            mine = [r for r in to.journal.records() if _is_of(r, one)]
            broken += [f"{one}: {law}" for law in _judge_records(mine, one)]
    return told, broken


def _is_of(record: dict[str, Any], told: Told) -> bool:
    return record["deployment"] == told.lie and record["stream"] is told.stream


def hold(
    kind: EngineKind, folder: Path, lies: Mapping[str, Lie], total_s: float = TOTAL_S
) -> tuple[list[Told], list[str]]:
    """Tell every lie, streamed and whole: what came of each, and each law that broke."""
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told, broken = asyncio.run(_hold(kind, folder, lies, total_s))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown_kib
    if grown_kib > GROWTH_MIB << 10:
        broken.append(f"{kind.value}: the process grew by {grown_kib >> 10} MiB")
    return told, broken

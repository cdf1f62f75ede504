"""A gateway on a loopback port: a scripted engine, a journal in memory, a clock one can turn."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from inland.decide.rulebook import Verdict
from inland.decide.slots import Share
from inland.domain.api_keys import new_api_key
from inland.domain.labels import Label, public_label
from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.domain.plant import (
    Deployment,
    EngineKind,
    Feature,
    Key,
    Model,
    Replica,
    ReplicaState,
    Residue,
    Role,
    Tenant,
)
from inland.domain.releases import Serving
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.gateway import Gateway
from inland.gateway.hosts import Hosts
from inland.ledger import canonical
from inland.ledger.frames import FrameKind
from inland.ledger.records import Record
from inland.ports.engine import Chat, Counts, End, Ending, Engine, Piece, Sink, Target, Work
from tests.patience import PATIENCE_S, until_here

HERE = Place("here", "DE", "DE")
KEYS = {name: new_api_key(bytes([n]) * 40) for n, name in enumerate(("demo", "acme", "operator"))}
RECORD_KEYS = {"demo": b"d" * 32, "acme": b"a" * 32}
ASK = [{"role": "user", "content": "Hello?"}]


def snapshot(version: int = 1, slots: int = 4) -> Snapshot:
    """Two tenants with a key each, an operator's key, and one deployment with one ready replica."""

    def key(name: str, tenant: str | None, role: Role) -> Key:
        return Key(KEYS[name].id, tenant, role, KEYS[name].secret_sha256)

    held = [
        key("demo", "demo", Role.MEMBER),
        key("acme", "acme", Role.TENANT_ADMIN),
        key("operator", None, Role.OPERATOR),
    ]
    replica = Replica(
        "r0", "smol", ReplicaState.READY, "/nowhere.sock", HERE, template=tuple(Feature)
    )
    return Snapshot(
        version,
        "factory",
        "sha256:" + "0" * 64,
        "",
        {name: Tenant(name, Label(name, ("DE",))) for name in ("demo", "acme")},
        {one.id: one for one in held},
        {"smollm2": Model("smollm2", public_label(), ("*",), "sha256:" + "1" * 64)},
        {"smol": Deployment("smol", EngineKind.LLAMA_CPP, "smollm2", HERE, slots, 1 << 16)},
        {"r0": replica},
    )


class Decider:
    """Allows everything but what `denied` names, and hides what `hidden` names."""

    def __init__(self) -> None:
        self.denied: set[tuple[str, str]] = set()
        self.hidden: set[tuple[str, str]] = set()

    def decide_release(self, key_id: str, serving: Serving, /) -> Verdict:
        return self.decide_serve(key_id, serving.name)

    def decide_serve(self, key_id: str, deployment: str, /) -> Verdict:
        if (key_id, deployment) in self.hidden:
            return Verdict(allowed=False, visible=False, rules=("secret-rule",), remedy="none")
        if (key_id, deployment) in self.denied:
            return Verdict(
                allowed=False, visible=True, rules=("inside-border",), remedy="move the place"
            )
        return Verdict(allowed=True, visible=True, rules=("owner",), remedy="", places=("here",))


class Clock:
    """Real time, and as much more as a test adds."""

    ahead_s = 0.0

    def unix_us(self) -> int:
        return time.time_ns() // 1000 + int(self.ahead_s * 1e6)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the token path never sleeps on its thread")


class Journal:
    """Frames in memory. While `held`, nothing is durable."""

    def __init__(self) -> None:
        self.frames: list[tuple[FrameKind, Record]] = []
        self.held = False
        self.room = True
        self._waiting: list[Callable[[], None]] = []

    def append(self, kind: FrameKind, payload: bytes, done: Callable[[], None]) -> None:
        self.frames.append((kind, canonical.decode(payload)))
        self._waiting.append(done)
        if not self.held:
            asyncio.get_running_loop().call_soon(self.sync)

    def sync(self) -> None:
        """Everything appended is durable now."""
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done()

    def healthy(self) -> bool:
        return self.room

    def records(self, kind: str = "request") -> list[Record]:
        return [r for frame, r in self.frames if frame is FrameKind.RECORD and r["kind"] == kind]

    def openings(self) -> list[Record]:
        return [r for frame, r in self.frames if frame is FrameKind.OPENING]


class ScriptedCall:
    """One call; the test says what comes of it."""

    def __init__(self, target: Target, work: Work, sink: Sink) -> None:
        self.target, self.work, self.sink = target, work, sink
        self.cancelled = self.paused = self.ended = False
        self.tokens = [0] * work.choices
        self.prompt = 7

    def say(self, *words: str, index: int = 0) -> None:
        """Text for one choice, a token a word."""
        pieces = []
        for word in words:
            self.tokens[index] += 1
            pieces.append(Piece(index, word, tokens=self.tokens[index]))
        self.sink.pieces(pieces)

    def finish(self, how: str = "stop") -> None:
        """Every choice ends, each having cost one token more (the end of its sequence)."""
        self.sink.pieces([Piece(i, "", how) for i in range(self.work.choices)])
        self.tokens = [count + 1 for count in self.tokens]
        self.end(End(Ending.COMPLETE, self.counts(), residue=Residue.PROMPT))

    def counts(self) -> Counts:
        return Counts(self.prompt, sum(self.tokens))

    def end(self, end: End) -> None:
        assert not self.ended
        self.ended = True
        self.sink.ended(end)

    def cancel(self) -> None:
        assert not self.cancelled
        self.cancelled = True
        asyncio.get_running_loop().call_soon(self._stopped)

    def _stopped(self) -> None:
        self.tokens[0] += 2  # generated before it noticed
        self.end(End(Ending.STOPPED, self.counts()))

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class ScriptedEngine:
    """Answers by `answer`, or leaves calls to the test where that is None."""

    def __init__(self) -> None:
        self.calls: list[ScriptedCall] = []
        self.answer: Sequence[str] | None = ("Good", " morning", ".")
        self.closed = False
        self.broken = 0  # calls that fail before they begin

    def call(self, target: Target, work: Work, sink: Sink) -> ScriptedCall:
        if self.broken:
            self.broken -= 1
            raise ValueError("it cannot be called")
        call = ScriptedCall(target, work, sink)
        self.calls.append(call)
        if self.answer is not None:
            asyncio.get_running_loop().call_soon(self._run, call, tuple(self.answer))
        return call

    def _run(self, call: ScriptedCall, words: tuple[str, ...]) -> None:
        for index in range(call.work.choices):
            call.say(*words, index=index)
        call.finish()

    async def close(self) -> None:
        self.closed = True


def chat_of(to: "World", call: int = 0) -> Chat:
    """The conversation in the engine's call number `call`."""
    task = to.engine.calls[call].work.task
    assert isinstance(task, Chat)
    return task


@dataclass
class World:
    """A running gateway and everything around it."""

    gateway: Gateway
    engine: ScriptedEngine
    journal: Journal
    clock: Clock
    decider: Decider
    port: int
    lease: list[bool]
    stop: asyncio.Event

    def apply(self, new: Snapshot) -> None:
        self.gateway.apply(new, Secrets(RECORD_KEYS, {}))

    def fold_refusals(self) -> Callable[[], None]:
        """From now on refusals are folded and no beat books them: what this returns does."""
        book = self.gateway._flush_refusals
        self.gateway._flush_refusals = lambda: None  # type: ignore[method-assign]
        return book

    async def until(self, true: Callable[[], object]) -> None:
        """Let the loop run until `true()`."""
        await until_here(true)

    async def calls(self, count: int) -> list[ScriptedCall]:
        await self.until(lambda: len(self.engine.calls) >= count)
        return self.engine.calls


@asynccontextmanager
async def world(
    limits: Limits | None = None,
    relay: str = "/none.sock",
    engines: Mapping[EngineKind, Engine] | None = None,
    share: Share = Share(),  # noqa: B008
    *,
    origins: tuple[str, ...] = (),
    proxies: tuple[str, ...] = (),
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> AsyncIterator[World]:
    """A gateway that has a snapshot and a lease, and is called `x` besides what all are; its one
    engine is scripted unless it is given."""
    engine, journal, clock, decider = ScriptedEngine(), Journal(), Clock(), Decider()
    lease = [True]
    counter = iter(range(1 << 30))
    gateway = Gateway(
        limits if limits is not None else replace(Limits(), drain_s=0.2),
        clock,
        lambda count: b"".join(next(counter).to_bytes(2) for _ in range(count // 2)),
        journal,
        lambda _: decider,
        engines if engines is not None else {EngineKind.LLAMA_CPP: engine},
        relay,
        "w1",
        lambda: lease[0],
        share,
        hosts=Hosts(("x",), origins),
        proxies=proxies,
        tls=tls,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    stop = asyncio.Event()
    serving = asyncio.create_task(gateway.serve([listening], stop))
    made = World(
        gateway, engine, journal, clock, decider, int(listening.getsockname()[1]), lease, stop
    )
    made.apply(snapshot())
    try:
        yield made
    finally:
        journal.held = False
        journal.sync()
        stop.set()
        await serving


@dataclass
class Reply:
    """An answer as read off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Caller:
    """One raw connection, so that tests see the very bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def ask(self, body: bytes, key: str = "demo", extra: bytes = b"") -> None:
        """A chat request."""
        self.send(request(body, key, extra))

    async def head(self) -> Reply:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return Reply(int(lines[0].split()[1]), headers, b"")

    async def reply(self) -> Reply:
        """A whole answer, by its length or its chunks."""
        got = await self.head()
        if "content-length" in got.headers:
            got.body = await self.reader.readexactly(int(got.headers["content-length"]))
        elif got.headers.get("transfer-encoding") == "chunked":
            got.body = await self.chunks()
        return got

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def chunks(self) -> bytes:
        data = b""
        while more := await self.chunk():
            data += more
        return data

    async def rest(self) -> bytes:
        """Everything until the gateway closes."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def caller(
    to: World, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Caller]:
    """A connection to the gateway, from another of this machine's addresses if one is named."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        to.port,
        local_addr=(source, 0),
        ssl=tls,
        server_hostname=None if tls is None else "localhost",
    )
    made = Caller(reader, writer)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield made
    finally:
        await made.close()


def request(body: bytes, key: str = "demo", extra: bytes = b"") -> bytes:
    """A chat request's bytes."""
    text = KEYS[key].text if key in KEYS else key
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n%b"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    ) % (text.encode(), extra, len(body), body)

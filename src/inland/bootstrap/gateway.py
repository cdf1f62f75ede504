"""A gateway process: its journal, engines, the feed it lives by, the socket it was handed."""

import asyncio
import logging
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from inland import __version__
from inland.adapters.egress.door import Door
from inland.adapters.feed.client import FeedClient, Hello
from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.files.journal import JournalWriter
from inland.adapters.files.lane_logs import lane_logs
from inland.adapters.home import factory_toml
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.host.machine import may_open
from inland.adapters.isolation.peers import is_shut_in
from inland.adapters.llama_cpp.client import LlamaCpp
from inland.adapters.memory.freed import give_up_freed, overwrite_freed
from inland.adapters.memory.reads import overwritten
from inland.adapters.openai.client import OpenAI
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.vllm.client import Vllm
from inland.bootstrap.ways_out import InForce
from inland.decide.slots import Share
from inland.domain.errors import InlandError
from inland.domain.ids import UUID7_RANDOM_BYTES, WriterId, uuid7
from inland.domain.limits import Limits
from inland.domain.plant import EngineKind
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.gateway import Gateway
from inland.gateway.hosts import Hosts
from inland.plant.outbound import COUNTED, LABELS

if TYPE_CHECKING:
    from inland.adapters.tls.served import Served

_FATAL = 70
#: How often a certificate's files are looked at, in seconds; a new pair is served after two looks.
LOOK_S = 1.0
#: Files a gateway opens beside its callers' connections: calls to engines, journal, feed.
_OTHER_FILES = 1024
_log = logging.getLogger("inland.gateway")


def run_gateway(home: Home, name: str, fd: int, share: Share, listening: Listening) -> int:
    """Answer on the listening socket `fd` until SIGTERM, then finish what is under way."""
    overwrite_freed()
    declared = factory_toml.read(home.factory_toml)
    uvloop.run(_serve(home, name, fd, _affordable(declared.limits), share, listening))
    return 0


def _affordable(limits: Limits) -> Limits:
    """A caller refused is better off than one whom a process out of open files does not see."""
    beside = limits.connections_refused + limits.relayed + _OTHER_FILES
    room = may_open(limits.connections + beside) - beside
    if room >= limits.connections:
        return limits
    remedy = "raise the limit of open files (ulimit -n, LimitNOFILE=)"
    facts = {"connections": max(1, room), "asked": limits.connections, "remedy": remedy}
    _log.warning("fewer connections than limits.connections allows", extra=facts)
    return replace(limits, connections=max(1, room))


async def _serve(
    home: Home, name: str, fd: int, bounds: Limits, share: Share, listening: Listening
) -> None:
    loop = asyncio.get_running_loop()
    clock, entropy = SystemClock(), SystemEntropy()
    writer = WriterId(uuid7(clock.unix_us() // 1000, entropy(UUID7_RANDOM_BYTES)))
    journal = JournalWriter(Disk(home.root), writer, loop, _end_at_once)
    in_force = InForce()
    door = Door(in_force.may_connect, why="upstream", connect_s=bounds.upstream_connect_s)
    upstreams = OpenAI(door)
    served = _served(home, listening)
    feed: FeedClient
    gateway = Gateway(
        bounds,
        clock,
        entropy,
        journal,
        in_force.take,
        {
            EngineKind.LLAMA_CPP: LlamaCpp(),
            EngineKind.VLLM: Vllm(),
            EngineKind.OPENAI: upstreams,
        },
        str(home.control_socket),
        writer,
        lambda: feed.lease_ok(),  # noqa: PLW0108 - the feed is made below, around the gateway
        share,
        differs=lambda: feed.refused(),  # noqa: PLW0108 - as above
        hosts=Hosts(listening.names(), listening.origins),
        proxies=listening.proxies,
        tls=None if served is None else lambda: served.context,
        lane_logs=lane_logs(home.root, writer),
        hurry=lambda: feed.hurry(),  # noqa: PLW0108 - as above
    )
    first, letting_go = asyncio.Event(), LettingGo()

    def take(snapshot: Snapshot, secrets: Secrets) -> None:
        gateway.apply(snapshot, secrets)
        upstreams.recheck()
        letting_go.follow(snapshot)
        first.set()

    hello = Hello(name, os.getpid(), writer)

    def metrics() -> dict[str, Any]:
        told = gateway.metrics()
        told["counters"][COUNTED] = {"labels": list(LABELS), "series": door.uses.series()}
        if served is not None:
            told["gauges"] |= _certificate_gauges(name, served)
        return told

    sharing = gateway.sharing if share.gateways > 1 else None
    feed = FeedClient(
        _feed_socket(home), hello, take, metrics, clock, sharing=sharing, budgets=gateway.budgets
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    following = loop.create_task(feed.run())
    reporting = loop.create_task(_report(home, name, first))
    watching = None if served is None else loop.create_task(_watch(served, clock))
    listener = socket.socket(fileno=fd)
    own = _own_socket(home.gateway_socket(name))
    await gateway.serve([listener], stop, (own, is_shut_in))
    reporting.cancel()
    if watching is not None:
        watching.cancel()
    following.cancel()
    journal.stop()


class LettingGo:
    """Whoever withdraws its keys: what a gateway passed on of it is in its memory no more."""

    def __init__(self) -> None:
        self._withdrawn: frozenset[str] = frozenset()
        self._under_way: set[asyncio.Task[None]] = set()

    def follow(self, snapshot: Snapshot) -> None:
        """At a snapshot by which somebody withdrew them."""
        tenants = snapshot.tenants.values()
        withdrawn = frozenset(tenant.id for tenant in tenants if tenant.withdrawn)
        if withdrawn - self._withdrawn:
            task = asyncio.get_running_loop().create_task(_let_go())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        self._withdrawn = withdrawn


async def _let_go() -> None:
    """Once those it concerns were ended, which a turn of the loop does."""
    await asyncio.sleep(0)
    give_up_freed()
    try:
        await overwritten()
    except OSError as error:
        _log.warning("what was read last stays in memory", extra={"why": str(error)})


def _served(home: Home, listening: Listening) -> "Served | None":
    """The certificate to serve by; only with TLS does a gateway load what that takes."""
    if not listening.is_tls:
        return None
    from inland.adapters.tls.files import files
    from inland.adapters.tls.served import Served

    pair = files(home, listening)
    assert pair is not None
    return Served(*pair)


async def _watch(served: "Served", clock: SystemClock) -> None:
    """New certificates are noticed, not announced."""
    while True:
        await asyncio.sleep(LOOK_S)
        served.look(clock.unix_us() / 1_000_000)


def _certificate_gauges(name: str, served: "Served") -> dict[str, Any]:
    """By gateway, for each looks for itself."""
    values = {
        "certificate_ends_unix_seconds": served.certificate.ends_unix_s,
        "certificate_refused": int(served.wrong is not None),
    }
    return {
        gauge: {"labels": ["gateway"], "series": [[[name], value]]}
        for gauge, value in values.items()
    }


async def _report(home: Home, name: str, first: asyncio.Event) -> None:
    """A gateway works once it decides by a snapshot; until then its back-off counts on."""
    await first.wait()
    supervisor = SupervisorClient(home.supervisor_socket)
    try:
        await asyncio.to_thread(supervisor.report_ready, name, os.getpid(), __version__)
    except InlandError as error:
        _log.warning("could not report ready", extra={"why": str(error)})


def _own_socket(path: Path) -> socket.socket:
    """Where control asks for tokens on a run's behalf, with a key as anybody. It is private by its
    folder; an earlier life's is taken over."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    return listener


def _feed_socket(home: Home) -> Path:
    return home.root / "run" / "feed.sock"


def _end_at_once(why: str) -> None:
    """A journal that cannot be written acknowledges nothing more: end before anyone is told."""
    _log.critical("ended", extra={"why": why})
    os._exit(_FATAL)

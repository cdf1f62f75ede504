"""The control process: books, plant, feed and HTTP over one home, a thread for each loop."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from inland import __version__, settings
from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.uses import Uses
from inland.adapters.feed.server import FeedServer
from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.files.policies import PolicyFiles
from inland.adapters.files.secrets import SecretFolder
from inland.adapters.home import factory_toml, first_keys, store_table, upstream_keys
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.host.machine import accelerators
from inland.adapters.isolation.shut_in import available, without_files
from inland.adapters.jobs.cells import CommandCells, held_in
from inland.adapters.llama_cpp.probe import LlamaCppProber, counters
from inland.adapters.memory.freed import overwrite_freed
from inland.adapters.memory.handing import HandingSocket
from inland.adapters.memory.memory_file import MemoryFiles
from inland.adapters.memory.reads import Reads
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.roles import GATEWAY
from inland.adapters.processes.watched import WatchedRunner
from inland.adapters.sql.database import Database
from inland.adapters.vllm.probe import VllmProber
from inland.adapters.vllm.probe import counters as vllm_counters
from inland.api.control import Control
from inland.api.totals import Totals
from inland.bootstrap.books import FACTORY, database, endpoint_urls, way_to_database
from inland.bootstrap.bringing import bringing
from inland.bootstrap.certificate import Renewal
from inland.bootstrap.lines import rooms
from inland.bootstrap.loops import (
    BLOBS_S,
    KEYS_S,
    aside,
    book,
    end_unless,
    keep_assets,
    look,
    loop,
    step_failed,
)
from inland.bootstrap.vault import open_vault
from inland.bootstrap.ways_out import DatabaseWay, control_door
from inland.decide.shares import Shares
from inland.domain.errors import InlandError
from inland.domain.plant import EngineKind
from inland.plant import outbound as ways
from inland.plant.allowances import Allowances
from inland.plant.asset_room import AssetRoom, Workers
from inland.plant.books.books import Books
from inland.plant.books.public import PublicLedger
from inland.plant.budgets import Budgets
from inland.plant.changes import Changes
from inland.plant.contracts import Contracts
from inland.plant.declared import Declared, reconcile
from inland.plant.deployments import Deployments
from inland.plant.destroying import Destroying
from inland.plant.draining import Draining
from inland.plant.driving import Drivable, EngineDriver
from inland.plant.explain import Explain
from inland.plant.guards import Guards
from inland.plant.invoices import Invoices
from inland.plant.keys import Keys
from inland.plant.measuring import Measuring
from inland.plant.models import Models
from inland.plant.policies import Policies
from inland.plant.prices import PriceList
from inland.plant.pulls import Pulls
from inland.plant.refitting import Refitting
from inland.plant.replicas import EngineRoom, Replicas
from inland.plant.reports import Reports
from inland.plant.tenants import Tenants
from inland.plant.ticker import Controller, Ticker, always
from inland.plant.vault import Parts as VaultParts
from inland.plant.vault import VaultRoom
from inland.ports.engine import Prober

if TYPE_CHECKING:
    import uvicorn

    from inland.adapters.llama_cpp.client import LlamaCpp
    from inland.adapters.vllm.client import Vllm

#: Engines proved at the same time, and calls answered at the same time.
PROBES, CALLS = 4, 64
#: What a stopping control gives to calls under way, in seconds.
CALLS_END_S = 3
_log = logging.getLogger("inland.control")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the process runs, in the order it was made."""

    store: Database
    books: Books
    feed: FeedServer
    runner: WatchedRunner
    changes: Changes
    control: Control
    upkeep: Ticker
    reads: Reads


def run_control(home: Home, name: str, listening: Listening) -> int:
    """Run until SIGTERM. Raises what stands in the way of a start."""
    isolation = available()  # probed in a child: before any thread of ours
    overwrite_freed()
    parts = _put_together(home, isolation, listening)
    ended = threading.Event()
    try:
        _begin(home, parts)
        threads = [
            loop("books", lambda: book(parts.books, ended)),
            loop("ticker", lambda: parts.control.ticker.run(SystemClock(), ended.is_set)),
            loop("keys", lambda: look(parts.control.vault.look_at_keys, KEYS_S, ended)),
            loop("blobs", lambda: look(parts.control.vault.look_at_blobs, BLOBS_S, ended)),
        ]
        loop("assets", lambda: keep_assets(parts.upkeep, ended))
        handing = HandingSocket(home.handing_socket, parts.control.assets.holders.weights)
        loop("handing", handing.serve)
        _serve(home, parts, name)
        ended.set()
        handing.close()
        parts.control.batches.worker.stop_all()
        parts.control.lines.worker.stop_all()
        parts.control.assets.jobs.end_all()
        for thread in threads:
            thread.join()
        parts.control.outbound.close()
        parts.changes.note("factory", "factory.stop", name)
        parts.books.tick()
    finally:
        parts.feed.close()
        parts.store.close()
    return 0


def _put_together(home: Home, isolation: str, listening: Listening) -> _Parts:
    clock, entropy, files = SystemClock(), SystemEntropy(), Disk(home.root)
    to_database = way_to_database(home.root, uses := Uses())
    store = database(home.root, way=to_database.way if to_database else None)
    books = Books(files, store, clock, entropy, FACTORY)
    runner, secrets = _runner(home), SecretFolder(home.root / "keys")
    allowances = Allowances(store, clock, books.unsettled, books.damaged)
    feed = _feed(home, clock, runner, allowances)
    changes = Changes(store, feed, secrets, clock, entropy, FACTORY)
    said = factory_toml.read(home.factory_toml)
    site, limits, totals, folder = said.site, said.limits, Totals(), PolicyFiles(home.policies)
    contracts = Contracts(changes, limits.contracts)
    door, outbound, out = _ways_out(changes, feed, uses, to_database)
    kept = _vault(home, said, door, store)
    workers = _workers(home, isolation, runner, memory := MemoryFiles(isolation, reads := Reads()))
    assets, releases, lines, batches = rooms(home, changes, kept, said, workers, feed.heard)
    draining = Draining(feed.works_on, clock, limits.drain_s)
    replicas = _replicas(_engine_room(home, isolation), changes, runner, draining, assets)
    invoices, destroying = _bills(files, changes, books, limits.answer_s)
    steps = [
        *_heard(feed, changes, totals),
        Controller("snapshots", changes.refresh, always),
        Controller("holders", assets.holders.step, assets.holders.rests),
        Controller("replicas", replicas.step, replicas.rests),
        Controller("releases", releases.step, releases.rests),
        Controller("contracts", contracts.settle, always),
        Controller("certificate", Renewal(home, listening, clock).step),
        Controller("allowances", allowances.step),
    ]
    lined = (*lines.controllers(), *batches.controllers())
    ticker, upkeep = _tickers([*steps, *out, *lined], _kept_up(assets, destroying), store, runner)
    control = Control(
        factory=FACTORY,
        site=site,
        store=store,
        clock=clock,
        secrets=secrets,
        changes=changes,
        tenants=Tenants(changes, site, limits.tenants),
        keys=Keys(changes, limits.keys),
        models=Models(changes),
        pulls=Pulls(changes, bringing(home, isolation, door), aside, limits.models),
        deployments=Deployments(changes, site, folder, limits.deployments, assets.holders.vetted),
        assets=assets,
        lines=lines,
        batches=batches,
        contracts=contracts,
        reports=Reports(store, books, clock, int(limits.queue_s + limits.answer_s)),
        measuring=Measuring(changes, _driver(clock), aside),
        policies=Policies(changes, folder),
        guards=Guards(changes, limits.guards),
        prices=PriceList(changes, limits.prices),
        outbound=outbound,
        budgets=Budgets(changes, limits.budgets),
        invoices=invoices,
        destroying=destroying,
        replicas=replicas,
        releases=releases,
        explain=Explain(changes, books, site),
        books=books,
        runner=runner,
        feed=feed,
        ticker=ticker,
        ledger=PublicLedger(files),
        vault=VaultRoom(changes, kept, assets.claims, _settling(assets, memory)),
        limits=limits,
        totals=totals,
        began_unix_s=clock.unix_us() / 1e6,
    )
    return _Parts(store, books, feed, runner, changes, control, upkeep, reads)


def _workers(home: Home, isolation: str, runner: WatchedRunner, memory: MemoryFiles) -> Workers:
    """Engines, memory, and what shuts jobs' commands in."""
    environment = settings.from_environment().child_environment
    cells = CommandCells(home.root, environment, held_in(isolation))
    return Workers(runner, memory, cells, aside)


def _replicas(
    room: EngineRoom,
    changes: Changes,
    runner: WatchedRunner,
    draining: Draining,
    assets: AssetRoom,
) -> Replicas:
    probes = ThreadPoolExecutor(PROBES, "probe")
    held_back = assets.holders.held_back
    return Replicas(changes, runner, _probers(), room, probes, draining, held_back)


def _settling(assets: AssetRoom, memory: MemoryFiles) -> Callable[[], None]:
    """As holders settle; and what control itself let go of stays in its memory no longer."""

    def settle() -> None:
        assets.holders.settle()
        memory.let_go()

    return settle


def _vault(home: Home, said: Declaration, door: BlockingDoor, store: Database) -> VaultParts:
    def lies(asset: str) -> tuple[str, ...]:
        with store.read() as transaction:
            return transaction.assets.lies(asset)

    return open_vault(home, said, settings.from_environment().credentials, door, lies)


def _feed(
    home: Home, clock: SystemClock, runner: WatchedRunner, allowances: Allowances
) -> FeedServer:
    path = home.root / "run" / "feed.sock"
    return FeedServer(path, clock, lambda: _gateway_pids(runner), Shares(), allowances.answer)


def _heard(feed: FeedServer, changes: Changes, totals: Totals) -> list[Controller]:
    """What is made of what gateways tell."""
    return [
        Controller("feed", lambda: end_unless(feed.is_alive())),
        Controller("shares", feed.look),
        Controller("totals", lambda: totals.keep(feed.heard())),
        Controller("refitting", Refitting(changes, feed.heard).step),
    ]


def _runner(home: Home) -> WatchedRunner:
    return WatchedRunner(SupervisorClient(home.supervisor_socket))


def _tickers(
    steps: list[Controller], slow: list[Controller], store: Database, runner: WatchedRunner
) -> tuple[Ticker, Ticker]:
    """The plant's, and one for what may take long; all go by the database and the processes."""

    def signs() -> Hashable | None:
        try:
            return store.written(), runner.processes()
        except InlandError:
            return None

    ticker = Ticker(steps, step_failed, signs=signs)
    return ticker, Ticker(slow, step_failed, ticker.wrong, signs)


def _kept_up(assets: AssetRoom, destroying: Destroying) -> list[Controller]:
    """What may take long, and holds nothing else up."""
    return [
        Controller("assets", assets.upkeep.step),
        Controller("records", destroying.step, destroying.rests),
    ]


def _bills(
    files: Disk, changes: Changes, books: Books, answer_s: float
) -> tuple[Invoices, Destroying]:
    """What records come to, and what destroys them once that is kept."""

    def waits() -> Collection[str]:
        return books.alarms or books.left()

    invoices = Invoices(files, changes.store, changes.clock, answer_s, waits)
    return invoices, Destroying(files, changes, invoices, books.alone, aside)


def _ways_out(
    changes: Changes, feed: FeedServer, uses: Uses, to_database: DatabaseWay | None
) -> tuple[BlockingDoor, ways.Outbound, list[Controller]]:
    """Control's door, the books of every process's, and what keeps both."""
    door = control_door(changes, uses)
    outbound = ways.Outbound(changes, feed.heard, uses.by_labels)
    steps = [Controller("outbound", outbound.step), Controller("door", door.recheck)]
    if to_database is not None:
        steps.append(Controller("database", partial(to_database.step, changes)))
    return door, outbound, steps


def _probers() -> dict[EngineKind, Prober]:
    return {EngineKind.LLAMA_CPP: LlamaCppProber(), EngineKind.VLLM: VllmProber()}


def _engine_room(home: Home, isolation: str) -> EngineRoom:
    """Where engines of ours work, and what shuts them in."""
    return EngineRoom(
        str(home.root),
        str(home.root / "run"),
        tuple(sorted(os.sched_getaffinity(0))),
        isolation={EngineKind.LLAMA_CPP: isolation, EngineKind.VLLM: without_files(isolation)},
        accelerators=accelerators(),
    )


def _begin(home: Home, parts: _Parts) -> None:
    """Open the books, then leases, then make what is declared true; gateways hear of it last."""
    parts.books.open()
    parts.feed.start()
    parts.control.policies.load_first()
    declaration = factory_toml.read(home.factory_toml)
    declared = Declared(
        site=declaration.site,
        tenants=declaration.tenants,
        models=declaration.models,
        deployments=declaration.deployments,
        keys=first_keys.read(home.first_keys),
        upstream_keys=upstream_keys.read(declaration),
        permitted_endpoints=declaration.permitted_endpoints,
        guards=declaration.guards,
        permitted_urls=(
            *endpoint_urls(home.root),
            *declaration.vault.urls(),
            *store_table.urls(declaration.stores),
        ),
    )
    reconcile(parts.changes, declared, PolicyFiles(home.policies))
    parts.control.contracts.declare(declaration.contracts)
    for waiting in parts.control.contracts.waiting():
        facts = {"tenant": waiting.contract.tenant, "deployment": waiting.contract.deployment}
        _log.warning("a declared contract is not in force", extra={**facts, "why": waiting.why})
    parts.control.keys.settle()
    parts.changes.note("factory", "factory.start", "control")
    parts.changes.refresh()


def _gateway_pids(runner: WatchedRunner) -> set[int]:
    return {one.pid for one in runner.processes() if one.role == GATEWAY and one.pid is not None}


def _serve(home: Home, parts: _Parts, name: str) -> None:
    """Answer on `run/control.sock` until SIGTERM."""
    import uvicorn

    from inland.api.app import build_app
    from inland.api.content import TAKEN_BYTES, ContentProtocol
    from inland.bootstrap import contract

    limits = parts.control.limits
    config = uvicorn.Config(
        build_app(parts.control, contract.whole),
        http=partial(  # type: ignore[arg-type]
            ContentProtocol,
            limit_bytes=max(limits.control_body_bytes, TAKEN_BYTES),
            clock=parts.control.clock,
        ),
        log_config=None,
        access_log=False,
        limit_concurrency=CALLS * 8,
        timeout_graceful_shutdown=CALLS_END_S,
        server_header=False,
    )
    server = uvicorn.Server(config)
    gc.collect()
    gc.freeze()  # what is there now stays; so what is let go of later is soon looked through
    listener = _listen(home)
    threading.Thread(target=_report, args=(parts.runner, name, server), daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    async def answer() -> None:
        parts.reads.follow()
        await server.serve(sockets=[listener])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(answer())
    listener.close()


def _listen(home: Home) -> socket.socket:
    home.control_socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(home.control_socket))  # private by the umask and by its folder
    listener.listen(CALLS * 4)
    return listener


def _report(runner: WatchedRunner, name: str, server: "uvicorn.Server") -> None:
    while not server.started and not server.should_exit:
        SystemClock().sleep(0.01)
    try:
        runner.report_ready(name, os.getpid(), __version__)
    except InlandError as error:
        _log.warning("could not report ready", extra={"why": str(error)})


def _driver(clock: SystemClock) -> EngineDriver:
    """What control measures engines with."""
    drivable = Drivable(_llama_cpp, lambda address: counters(address)["completion"])
    vllm = Drivable(_vllm, lambda address: vllm_counters(address)["completion"])
    return EngineDriver({EngineKind.LLAMA_CPP: drivable, EngineKind.VLLM: vllm}, clock)


def _llama_cpp() -> "LlamaCpp":
    """Loaded by the first measurement: control does without it otherwise."""
    from inland.adapters.llama_cpp.client import LlamaCpp

    return LlamaCpp()


def _vllm() -> "Vllm":
    """Likewise."""
    from inland.adapters.vllm.client import Vllm

    return Vllm()

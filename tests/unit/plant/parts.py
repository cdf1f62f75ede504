"""A plant over a real database and folders; its clock, runner and gateways are made up."""

import itertools
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import shake_256
from pathlib import Path
from threading import Event, Lock, Thread

from sqlalchemy.engine import URL

from inland.adapters.files.disk import Disk
from inland.adapters.files.policies import PolicyFiles
from inland.adapters.files.secrets import SecretFolder
from inland.adapters.memory.memory_file import MemoryFiles
from inland.adapters.sql.database import Database, sqlite_url
from inland.adapters.vault.embedded_keys import FactoryKeys
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.placed_blobs import Placed, PlacedBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.domain.labels import EVERYONE, public_label
from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Feature, Model
from inland.domain.snapshot import Secrets, Snapshot
from inland.ledger import canonical
from inland.plant.asset_room import Workers, asset_room
from inland.plant.budgets import Budgets
from inland.plant.changes import Changes
from inland.plant.contracts import Contracts
from inland.plant.declared import Declared, reconcile
from inland.plant.deployments import Deployments
from inland.plant.draining import Draining
from inland.plant.keys import Keys
from inland.plant.policies import Policies
from inland.plant.prices import PriceList
from inland.plant.tenants import Tenants
from inland.plant.vault import Parts, VaultRoom
from inland.ports.clock import Entropy
from inland.ports.jobs import Hear, JobEnd, JobSpec
from inland.ports.keys import Keys as KeysPort
from inland.ports.plaintext import Plaintext
from inland.ports.runner import EngineSpec, ProcessState, ProcessView
from tests import databases
from tests.patience import PATIENCE_S
from tests.vaults import factory_key, vault_of

SITE = Place("local", "DE", "DE")
#: Where else content may lie.
ANNEX, ABROAD = Place("annex", "DE", "DE"), Place("abroad", "US", "US")
MODEL = Model("smol", public_label(), (EVERYONE,), "sha256:00", "smol.gguf", declared=True)
SERVED = Deployment("smollm2", EngineKind.LLAMA_CPP, "smol", SITE, declared=True)


class HandClock:
    """Moves when a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def unix_us(self) -> int:
        return 1_800_000_000_000_000 + int(self.now_s * 1_000_000)

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Counting:
    """Bytes that differ each time and are the same in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, count: int, /) -> bytes:
        return shake_256(str(next(self._numbers)).encode()).digest(count)


@dataclass
class NotedFeed:
    """Remembers what was published, and which versions someone waited for. Of two that are
    published at once the older may come last, and is ignored, as a feed must."""

    published: list[Snapshot] = field(default_factory=list)
    secrets: list[Secrets] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def publish(self, snapshot: Snapshot, secrets: Secrets) -> None:
        with self.lock:
            if not self.published or snapshot.version >= self.published[-1].version:
                self.published.append(snapshot)
                self.secrets.append(secrets)

    def demand_fits(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Everything fits."""

    def wait_in_force(self, version: int) -> None:
        told = max(one.version for one in self.published)
        assert version <= told, "waited for what was never published"
        self.waited.append(version)


@dataclass
class ToyRunner:
    """A process table that tests write to."""

    views: dict[str, ProcessView] = field(default_factory=dict)
    asked: list[tuple[EngineSpec, ...]] = field(default_factory=list)
    ready: list[tuple[str, int]] = field(default_factory=list)
    ended: tuple[str, ...] = ()
    _pids: itertools.count = field(default_factory=lambda: itertools.count(100))

    def set_engines(self, specs: tuple[EngineSpec, ...]) -> None:
        self.asked.append(specs)
        wanted = {spec.replica for spec in specs}
        self.views = {name: view for name, view in self.views.items() if name in wanted}
        for replica in wanted - self.views.keys():
            self.restart(replica)

    def restart(self, replica: str) -> None:
        """A new life of an engine."""
        pid = next(self._pids)
        self.views[replica] = ProcessView(
            f"engine-{replica}", "engine", ProcessState.STARTING, pid, pid, 0, None, replica
        )

    def put(self, replica: str, **changes: object) -> None:
        """Change what the table says of an engine."""
        self.views[replica] = replace(self.views[replica], **changes)

    def end(self, names: tuple[str, ...]) -> None:
        self.ended += names
        for name in names:
            self.views.pop(name.removeprefix("engine-"), None)

    def report_ready(self, name: str, pid: int, inland: str | None = None) -> None:
        self.ready.append((name, pid))
        self.put(name.removeprefix("engine-"), state=ProcessState.RUNNING)

    def revive(self, name: str) -> None:
        self.restart(name.removeprefix("engine-"))

    def processes(self) -> tuple[ProcessView, ...]:
        return tuple(self.views.values())


class AtOnce(Executor):
    """Runs what it is given before `submit` returns."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass
class ToyProber:
    """Says of every engine what a test set."""

    works: bool = True
    asked: int = 0

    def prove(self, address: str, model: str) -> tuple[Feature, ...] | None:
        self.asked += 1
        return (Feature.SYSTEM,) if self.works else None


class ToyCell:
    """A command that runs until it is ended, or a test says how it ended. `awaited`: its end is."""

    pid = 4711

    def __init__(self, seen: dict[str, bytes]) -> None:
        self.seen, self.over, self.ends, self.asks = seen, Event(), 0, 0
        self.awaited = Event()
        self.told = JobEnd(None, "", bytearray(), 0)

    def finish(self, status: int, output: bytes = b"") -> None:
        self.told = JobEnd(status, "", bytearray(output), len(output))
        self.over.set()

    def wait(self, hear: Hear | None = None) -> JobEnd:
        self.awaited.set()
        assert self.over.wait(PATIENCE_S)
        if hear is not None:
            for line in bytes(self.told.output).splitlines():
                hear(line)
        return self.told

    def ask(self) -> None:
        self.asks += 1
        self.over.set()

    def end(self) -> None:
        self.ends += 1
        self.over.set()


class ToyCells:
    """Begins nothing, and looks at what it would have been given."""

    isolation = "namespaces"

    def __init__(self) -> None:
        self.begun: list[tuple[JobSpec, ToyCell]] = []

    def begin(self, spec: JobSpec, files: Mapping[str, Plaintext]) -> ToyCell:
        seen = {asset: os.pread(file.fd, file.bytes, 0) for asset, file in files.items()}
        self.begun.append((spec, ToyCell(seen)))
        return self.begun[-1][1]


def begun(run: Callable[[], None]) -> None:
    """Aside, on a thread."""
    Thread(target=run, daemon=True).start()


def workers() -> Workers:
    """Those that a test looks at."""
    return Workers(ToyRunner(), MemoryFiles("none"), ToyCells(), begun)


def settled(clock: HandClock) -> Draining:
    """Gateways that are never at work."""
    return Draining(lambda *_: False, clock, 30)


class Plant:
    """All the plant's parts over `home`."""

    def __init__(
        self,
        home: Path,
        most: int = 1000,
        url: str | URL | None = None,
        factory_keys: FactoryKeys = factory_key,
        kept_keys: KeysPort | None = None,
    ) -> None:
        """`most`: tenants, keys and deployments that it may have, of each. `url`: of a database.
        `kept_keys`: by another keeper than the home."""
        (home / "keys").mkdir(exist_ok=True)
        self.home, self.url = home, url
        self.clock, self.feed = HandClock(), NotedFeed()
        self.entropy: Entropy = Counting()
        if url is None:
            databases.put(home / "inland.db")
        self.store = Database(url or sqlite_url(home / "inland.db"), synchronous="OFF")
        with self.store.write() as transaction:
            if transaction.books.current_log() is None:
                transaction.books.open_log("test", bytes(32))
        self.secrets = SecretFolder(home / "keys")
        self.folder = PolicyFiles(home / "policies")
        self.changes = Changes(
            self.store, self.feed, self.secrets, self.clock, self.entropy, "test"
        )
        self.tenants = Tenants(self.changes, SITE, most)
        self.keys = Keys(self.changes, most)
        self.budgets = Budgets(self.changes, most)
        self.prices = PriceList(self.changes, most)
        self.policies = Policies(self.changes, self.folder)
        self.contracts = Contracts(self.changes, most)
        _, self.vault_keys, self.blobs = vault_of(Disk(home), factory_keys)
        self.stores = PlacedBlobs(self._placed(), self._lies)
        self.kept_keys = self.vault_keys if kept_keys is None else kept_keys
        self.vault = SealedVault(self.kept_keys, self.stores)
        self.limits = Limits()
        self.runner, self.cells = ToyRunner(), ToyCells()
        self.workers = replace(workers(), runner=self.runner, cells=self.cells)
        at_once = lambda run: run()  # noqa: E731 - what is aside elsewhere
        vault, stores = self.vault, self.stores
        self.room = asset_room(
            self.changes, vault, stores, SITE, self.limits, at_once, self.workers
        )
        self.holders, self.jobs = self.room.holders, self.room.jobs
        wrapped = self.vault_keys if kept_keys is None else None
        kept = Parts(self.kept_keys, self.stores, self.vault, wrapped=wrapped)
        self.vault_room = VaultRoom(self.changes, kept, self.room.claims, self.holders.settle)
        vetted = self.holders.vetted
        self.deployments = Deployments(self.changes, SITE, self.folder, most, vetted)
        self.assets, self.uploads = self.room.known, self.room.uploads
        self.exports, self.erasures = self.room.exports, self.room.erasures
        self.moves = self.room.moves
        self.upkeep = self.room.upkeep

    def _placed(self) -> dict[str, Placed]:
        placed = {SITE.id: Placed(SITE, lambda: self.blobs)}
        for place in (ANNEX, ABROAD):
            (self.home / place.id).mkdir(exist_ok=True)
            files = Disk(self.home / place.id)
            placed[place.id] = Placed(place, partial(FolderBlobs, files))
        return placed

    def _lies(self, asset: str) -> tuple[str, ...]:
        with self.store.read() as transaction:
            return transaction.assets.lies(asset)

    def begin(self, declared: Declared | None = None) -> None:
        """What a control does when it starts."""
        self.policies.load_first()
        default = Declared(SITE, models=(MODEL,), deployments=(SERVED,))
        reconcile(self.changes, declared or default, self.folder)

    @property
    def snapshot(self) -> Snapshot:
        return self.feed.published[-1]

    def records(self) -> list[dict]:
        """Every change that was booked, in order."""
        with self.store.read() as transaction:
            found = transaction.books.log_records(0, 0, 10_000)
        return [canonical.decode(one.record) for one in found]

"""The HTTP application over a plant with a key of every role, and books that hold one record."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from inland.adapters.files.disk import Disk
from inland.adapters.weights.bringing import Bringing
from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.api.app import build_app
from inland.api.control import Control
from inland.batches.room import batch_room
from inland.domain.plant import EngineKind, Role
from inland.lines.reading import Program
from inland.lines.room import LineRoom, Outside, line_room
from inland.plant.books.public import PublicLedger
from inland.plant.destroying import Destroying
from inland.plant.explain import Explain
from inland.plant.guards import Guards
from inland.plant.invoices import Invoices
from inland.plant.measuring import Measuring
from inland.plant.models import Models
from inland.plant.outbound import Outbound
from inland.plant.pulls import Pulls
from inland.plant.release_traffic import ReleaseTraffic
from inland.plant.releases import Releases
from inland.plant.replicas import EngineRoom, Replicas
from inland.plant.reports import Reports
from inland.plant.ticker import Ticker
from inland.ports.books import UsageRow
from tests.training.fake_trainer import FakeTrainer
from tests.unit.batches.world import ToyPassing
from tests.unit.lines.world import ToyTokens, shop
from tests.unit.plant.parts import SITE, AtOnce, Plant, ToyProber, begun, settled
from tests.unit.plant.toy_driver import ToyDriver

RECORD = {
    "id": "0197aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
    "kind": "request",
    "tenant": "acme",
    "key": "somebody",
}


@dataclass
class ToyBooks:
    """Holds `records` by reference; their receipts are made up."""

    records: dict[str, dict] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    vkey: str = "test+00000000+key"
    asked: list[tuple] = field(default_factory=list)
    lines: dict[str, list[bytes]] = field(default_factory=dict)

    def successor(self, log):
        return b'{"format":"made-up"}' if log == "0123abcd" else None

    def rotate_log_key(self, who, why):
        self.asked.append((who, why))
        return "0197aaaa-bbbb-7ccc-8ddd-eeeeffff0001"

    def locate(self, ref):
        record = self.records.get(ref)
        return None if record is None else (record.get("tenant"), record)

    def receipt(self, ref, since=None):
        return b'{"format":"made-up"}' if ref in self.records else None

    def export(self, tenant):
        yield from (str(one["id"]).encode() for one in self.records.values())

    def between(self, tenant, since_unix_s, until_unix_s):
        yield from self.lines.get(tenant, ())

    def usage(self, tenant, since_unix_us=0):
        self.asked.append((tenant, since_unix_us))
        return [UsageRow(0, tenant or "acme", "smollm2", "k", requests=1)]


@dataclass
class ToyFeed:
    """One gateway that runs everything at once."""

    plant: Plant
    metrics: dict | None = None
    alive: bool = True

    def version(self):
        return self.plant.snapshot.version

    def gateways(self):
        one = SimpleNamespace(gateway="gateway-0", pid=1, writer="w", running=self.version())
        one.metrics, one.found, one.inland = self.metrics, None, "0"
        return [one]

    def heard(self):
        return self.gateways()

    def refused(self):
        return {}

    def is_alive(self):
        return self.alive


def _no_fetcher():
    raise AssertionError("nothing is fetched here")


class Factory:
    """A client per role over one plant; `as_("acme-admin")` and so on."""

    def __init__(self, home: Path) -> None:
        self.plant = plant = Plant(home)
        plant.begin()
        self.books, self.feed, self.runner = ToyBooks(), ToyFeed(plant), plant.runner
        self.prober = ToyProber()
        room = EngineRoom("/m", "/r", (0, 1))
        self.replicas = Replicas(
            plant.changes,
            self.runner,
            dict.fromkeys(EngineKind, self.prober),
            room,
            AtOnce(),
            settled(plant.clock),
            plant.holders.held_back,
        )
        (home / "ledger" / "tile" / "0").mkdir(parents=True)
        intake = Bringing(Shelf(home), "none", _no_fetcher)
        releases = self._releases(home)
        lines = self._lines(home, releases)
        self.control = Control(
            factory="test",
            site=SITE,
            store=plant.store,
            clock=plant.clock,
            secrets=plant.secrets,
            changes=plant.changes,
            tenants=plant.tenants,
            guards=Guards(plant.changes, 8),
            keys=plant.keys,
            models=Models(plant.changes),
            pulls=Pulls(plant.changes, intake, lambda run: run(), 1024),
            deployments=plant.deployments,
            assets=plant.room,
            lines=lines,
            batches=batch_room(
                *(plant.changes, plant.room, lines.readers, ToyPassing(), plant.limits, begun)
            ),
            contracts=plant.contracts,
            reports=Reports(plant.store, self.books, plant.clock, 660),
            measuring=Measuring(plant.changes, ToyDriver(plant.clock), lambda run: run()),
            policies=plant.policies,
            prices=plant.prices,
            budgets=plant.budgets,
            outbound=Outbound(plant.changes, self.feed.heard, dict),
            invoices=Invoices(Disk(home), plant.store, plant.clock, 600, lambda: ()),
            destroying=self._destroying(home),
            replicas=self.replicas,
            releases=releases,
            explain=Explain(plant.changes, self.books, SITE),
            books=self.books,
            runner=self.runner,
            feed=self.feed,
            ticker=Ticker([], lambda *_: None),
            ledger=PublicLedger(Disk(home)),
            vault=plant.vault_room,
        )
        self.app = build_app(self.control)
        self.keys: dict[str, str] = {}
        self.key_ids: dict[str, str] = {}
        for tenant in ("acme", "demo"):
            plant.tenants.add("op", tenant)
            self._key(f"{tenant}-admin", tenant, Role.TENANT_ADMIN)
            self._key(f"{tenant}-member", tenant, Role.MEMBER)
        self._key("operator", None, Role.OPERATOR)
        self._key("auditor", None, Role.AUDITOR)

    def _outside(self, home: Path) -> Outside:
        signer = ModelsKey(Shelf(home))
        program, trained = Program(("reader",), ()), shop(FakeTrainer())
        return Outside(ToyTokens(), program, lambda _: None, trained, signer)

    def _lines(self, home: Path, releases: Releases) -> LineRoom:
        plant, outside = self.plant, self._outside(home)
        return line_room(
            *(plant.changes, plant.room, plant.workers, plant.limits), releases, outside, begun
        )

    def _releases(self, home: Path) -> Releases:
        room, traffic = (
            self.plant.room,
            ReleaseTraffic(self.feed.heard, self.plant.room.feedback.thumbs),
        )
        signer = ModelsKey(Shelf(home))
        vetted = room.holders.vetted
        return Releases(self.plant.changes, room.rulings, vetted, signer, traffic.of)

    def _destroying(self, home: Path) -> Destroying:
        files, changes = Disk(home), self.plant.changes
        invoices = Invoices(files, self.plant.store, self.plant.clock, 600, lambda: ())
        return Destroying(files, changes, invoices, nullcontext, lambda run: run())

    def _key(self, name: str, tenant: str | None, role: Role) -> None:
        key, self.keys[name] = self.plant.keys.add("op", tenant, role)
        self.key_ids[name] = key.id

    def as_(self, name: str | None) -> TestClient:
        """A client holding that key."""
        headers = {"authorization": f"Bearer {self.keys[name]}"} if name else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def factory(tmp_path):
    made = Factory(tmp_path)
    yield made
    made.plant.store.close()

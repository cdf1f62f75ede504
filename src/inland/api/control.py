"""What the control side's HTTP stands on: the parts of one factory, put together by bootstrap."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inland.api.totals import Totals
from inland.batches.room import BatchRoom
from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.ledger.records import Record
from inland.lines.room import LineRoom
from inland.plant.asset_room import AssetRoom
from inland.plant.books.public import PublicLedger
from inland.plant.budgets import Budgets
from inland.plant.changes import Changes
from inland.plant.contracts import Contracts
from inland.plant.deployments import Deployments
from inland.plant.destroying import Destroying
from inland.plant.explain import Explain
from inland.plant.guards import Guards
from inland.plant.invoices import Invoices
from inland.plant.keys import Keys
from inland.plant.measuring import Measuring
from inland.plant.models import Models
from inland.plant.outbound import Outbound
from inland.plant.policies import Policies
from inland.plant.prices import PriceList
from inland.plant.pulls import Pulls
from inland.plant.releases import Releases
from inland.plant.replicas import Replicas
from inland.plant.reports import Reports
from inland.plant.tenants import Tenants
from inland.plant.ticker import Ticker
from inland.plant.vault import VaultRoom
from inland.ports.books import UsageRow
from inland.ports.clock import Clock
from inland.ports.runner import Runner
from inland.ports.secrets import SecretStore
from inland.ports.store import Store


class BooksView(Protocol):
    """`plant.books.books.Books`, as far as callers may see it."""

    @property
    def alarms(self) -> tuple[str, ...]: ...
    @property
    def vkey(self) -> str: ...
    def receipt(self, ref: str, since: int | None = None) -> bytes | None: ...
    def successor(self, log: str) -> bytes | None: ...
    def rotate_log_key(self, who: str, why: str) -> str: ...
    def locate(self, ref: str) -> tuple[str | None, Record] | None: ...
    def export(self, tenant: str) -> Iterator[bytes]: ...
    def usage(self, tenant: str | None, since_unix_us: int = 0) -> list[UsageRow]: ...


class Gateway(Protocol):
    """One gateway with a running lease: what it said of itself last."""

    @property
    def gateway(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def writer(self) -> str: ...
    @property
    def running(self) -> int: ...
    @property
    def inland(self) -> str: ...
    @property
    def metrics(self) -> dict[str, Any] | None: ...
    @property
    def found(self) -> dict[str, Any] | None: ...


class FeedView(Protocol):
    """`adapters.feed.server.FeedServer`, as far as it is shown."""

    def gateways(self) -> Sequence[Gateway]: ...
    def heard(self) -> Sequence[Gateway]: ...
    def refused(self) -> Mapping[str, str]: ...
    def version(self) -> int: ...
    def is_alive(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Control:
    factory: str
    site: Place
    store: Store
    clock: Clock
    secrets: SecretStore
    changes: Changes
    tenants: Tenants
    keys: Keys
    models: Models
    pulls: Pulls
    deployments: Deployments
    assets: AssetRoom
    lines: LineRoom
    batches: BatchRoom
    contracts: Contracts
    reports: Reports
    measuring: Measuring
    policies: Policies
    guards: Guards
    prices: PriceList
    outbound: Outbound
    budgets: Budgets
    invoices: Invoices
    destroying: Destroying
    replicas: Replicas
    releases: Releases
    explain: Explain
    books: BooksView
    runner: Runner
    feed: FeedView
    ticker: Ticker
    ledger: PublicLedger
    vault: VaultRoom
    limits: Limits = field(default_factory=Limits)
    #: What gateways counted since this control began, at `began_unix_s`.
    totals: Totals = field(default_factory=Totals)
    began_unix_s: float = 0.0

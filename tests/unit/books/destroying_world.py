"""Books of which some records are to be destroyed: what stands in them, and who may."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inland.adapters.files.clock import SystemClock
from inland.adapters.files.disk import Disk
from inland.adapters.home.layout import Home
from inland.decide.policy_set import default_files, join_files, policy_digest
from inland.domain.labels import Label
from inland.domain.plant import Key, Role, Tenant
from inland.domain.pricing import Price
from inland.plant.destroying import Destroying
from inland.plant.invoices import Invoices
from inland.plant.reports import Reports
from tests.books_home import BooksHome

DECEMBER_S, JANUARY_S, NOW_S = (
    int(datetime(*day, tzinfo=UTC).timestamp())
    for day in ((2026, 12, 1), (2027, 1, 1), (2027, 1, 20))
)
KEYS = {
    "admin": Key("admin", "acme", Role.TENANT_ADMIN, ""),
    "member": Key("member", "acme", Role.MEMBER, ""),
    "other": Key("other", "demo", Role.TENANT_ADMIN, ""),
    "operator": Key("op", None, Role.OPERATOR, ""),
}


class Clock(SystemClock):
    """It is when a test says."""

    now_s = NOW_S

    def unix_us(self) -> int:
        return self.now_s * 10**6


class World:
    """Books of two tenants over two months and some days, by two lives of a gateway. One that is
    there already is opened as control does that starts: its gateways are gone."""

    def __init__(self, root: Path) -> None:
        is_new = not Home(root).is_made()
        seed = 1 if is_new else int.from_bytes(os.urandom(8))  # no id is drawn twice
        self.home = BooksHome(root, seed=seed)
        self.store, self.books = self.home.store, self.home.books
        self.records: list[dict[str, Any]] = []
        if is_new:
            self._begin()
        self.home.at(NOW_S * 10**6)
        self.books.tick()
        self.clock = Clock()
        files = Disk(root)
        self.invoices = Invoices(files, self.store, self.clock, 600, lambda: ())
        self.destroying = Destroying(
            files, self.home.changes, self.invoices, self.books.alone, lambda run: run()
        )
        self.reports = Reports(self.store, self.books, self.clock, 600)

    def _begin(self) -> None:
        with self.store.write() as transaction:
            for tenant in self.home.tenants:
                transaction.state.put_tenant(Tenant(tenant, Label(tenant, ("DE",))))
            for key in KEYS.values():
                transaction.state.put_key(key)
            text = join_files(default_files())
            transaction.state.set_policy(policy_digest(text), text)
            transaction.billing.put_price(Price("smollm2", 0, "EUR", 150_000, 37_500, 600_000))
        for at_s, facts in (
            (DECEMBER_S - 86_400, {}),
            (DECEMBER_S - 5, {"billed": False, "outcome": "failed"}),
            (DECEMBER_S + 5, {}),
            (JANUARY_S - 5, {"deployment": "unpriced"}),
        ):
            self.home.at(at_s * 10**6)
            self.records += self.home.serve(6, **facts)
            self.books.tick()
        self.home.kill_gateway()
        self.home.at((JANUARY_S + 5) * 10**6)
        self.records += self.home.serve(6)
        self.books.tick()

    def of(self, tenant: str, since_s: int, until_s: int) -> list[dict[str, Any]]:
        return [
            one
            for one in self.records
            if one["tenant"] == tenant and since_s * 10**6 <= one["time"] < until_s * 10**6
        ]

    def file_bytes(self) -> bytes:
        found = (self.home.home.root / "records").rglob("*.jsonl*")
        return b"".join(file.read_bytes() for file in found)

    def said(self) -> list[dict[str, Any]]:
        """Every change on the books."""
        with self.store.read() as transaction:
            found = transaction.books.log_records(0, 0, 10_000)
        every = [json.loads(one.record) for one in found]
        return [one for one in every if one["kind"] == "change"]

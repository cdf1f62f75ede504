"""Prices, budgets and spending in SQL. Only plain SQL that SQLite and PostgreSQL share."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Integer,
    String,
    Table,
    delete,
    insert,
    select,
)

from inland.adapters.sql.schema_base import Int64, metadata
from inland.adapters.sql.upsert import upsert
from inland.domain.budgets import Budget, Period
from inland.domain.pricing import Price, Prices
from inland.ports.billing import Spending

PRICES = Table(
    "prices",
    metadata,
    Column("deployment", String, primary_key=True),
    Column("since_unix_s", Int64, primary_key=True, autoincrement=False),
    Column("currency", String, nullable=False),
    Column("prompt_micros", Int64, nullable=False),
    Column("cached_micros", Int64, nullable=False),
    Column("completion_micros", Int64, nullable=False),
)
BUDGETS = Table(
    "budgets",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("key", String, nullable=True),
    Column("unit", String, nullable=False),
    Column("period", String, nullable=False),
    Column("limit", Int64, nullable=False),
    Column("soft_percent", Integer, nullable=False),
    Column("hard", Boolean, nullable=False),
)
SPENDING = Table(
    "spending",
    metadata,
    Column("day_unix_s", Int64, primary_key=True, autoincrement=False),
    Column("tenant", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("deployment", String, primary_key=True),
    Column("writer", String, primary_key=True),
    Column("price_unix_s", Int64, primary_key=True, autoincrement=False),
    Column("prompt_tokens", Int64, nullable=False),
    Column("cached_tokens", Int64, nullable=False),
    Column("completion_tokens", Int64, nullable=False),
)
KEPT_INVOICES = Table(
    "kept_invoices",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("month", String, primary_key=True),
    Column("invoice", JSON, nullable=False),
)
_PUT_PRICE, _PUT_BUDGET = upsert(PRICES), upsert(BUDGETS)
_ADD_SPENDING = upsert(SPENDING, add=True)


class SqlBilling:
    """`ports.billing.BillingTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prices(self) -> Prices:
        rows = self._connection.execute(select(PRICES)).mappings()
        found: dict[str, list[Price]] = {}
        for price in sorted((Price(**row) for row in rows), key=lambda one: one.since_unix_s):
            found.setdefault(price.deployment, []).append(price)
        return {name: tuple(prices) for name, prices in sorted(found.items())}

    def put_price(self, price: Price) -> None:
        self._connection.execute(_PUT_PRICE, asdict(price))

    def budgets(self) -> dict[str, Budget]:
        rows = self._connection.execute(select(BUDGETS)).mappings()
        found = {row["id"]: {**row, "period": Period(row["period"])} for row in rows}
        for values in found.values():
            del values["id"]
        return {name: Budget(**found[name]) for name in sorted(found)}

    def put_budget(self, budget: Budget) -> None:
        values = {**asdict(budget), "id": budget.id, "period": budget.period.value}
        self._connection.execute(_PUT_BUDGET, values)

    def remove_budget(self, budget: str) -> None:
        self._connection.execute(delete(BUDGETS).where(BUDGETS.c.id == budget))

    def keep_invoice(self, tenant: str, month: str, invoice: dict[str, Any]) -> None:
        if self.kept_invoice(tenant, month) is None:
            row = {"tenant": tenant, "month": month, "invoice": invoice}
            self._connection.execute(insert(KEPT_INVOICES), row)

    def kept_invoice(self, tenant: str, month: str) -> dict[str, Any] | None:
        of = (KEPT_INVOICES.c.tenant == tenant) & (KEPT_INVOICES.c.month == month)
        query = select(KEPT_INVOICES.c.invoice).where(of)
        return self._connection.execute(query).scalar_one_or_none()

    def add_spending(self, rows: Sequence[Spending]) -> None:
        if rows:
            self._connection.execute(_ADD_SPENDING, [asdict(row) for row in rows])

    def spending(self, tenant: str | None, since_unix_s: int) -> Iterator[Spending]:
        query = select(SPENDING).where(SPENDING.c.day_unix_s >= since_unix_s)
        if tenant is not None:
            query = query.where(SPENDING.c.tenant == tenant)
        for row in self._connection.execute(query.order_by(*SPENDING.primary_key.columns)):
            yield Spending(*row)

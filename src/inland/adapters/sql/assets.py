"""Assets in SQL: names and titles are ciphertext here, digests are keyed. Only plain SQL that
SQLite and PostgreSQL share."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from inland.adapters.sql.schema_base import Int64, metadata
from inland.adapters.sql.state import label_of, label_row
from inland.adapters.sql.upsert import upsert
from inland.domain.assets import LOCAL_STORE, Action, AssetKind, AssetState
from inland.domain.labels import EVERYONE
from inland.ports.assets import AssetRow, Intent, Part

#: Values in one `IN (...)`.
_CHUNK = 5000

ASSETS = Table(
    "assets",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", LargeBinary, nullable=False),
    Column("title", LargeBinary, nullable=False),
    Column("name_mac", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("label", JSON, nullable=False),
    Column("bytes", Int64, nullable=False),
    Column("digest", String, nullable=False),
    Column("run", String, nullable=False),
    Column("resume", String, nullable=False),
    Column("created_unix_us", Int64, nullable=False),
    Column("touched_unix_s", Int64, nullable=False),
    Column("ends_unix_s", Int64, nullable=True, index=True),
    Column("erased_by", String, nullable=True),
    Column("store", String, nullable=False, server_default=LOCAL_STORE),
    Column("other_store", String, nullable=False, server_default=""),
    Index("ix_assets_tenant_name_mac", "tenant", "name_mac"),
)
SHARES = Table(
    "asset_shares",
    metadata,
    Column("asset", String, primary_key=True),
    Column("tenant", String, primary_key=True, index=True),
)
#: `position`: the parent's place among those that were named.
PARENTS = Table(
    "asset_parents",
    metadata,
    Column("asset", String, primary_key=True),
    Column("parent", String, primary_key=True, index=True),
    Column("position", Integer, nullable=False),
)
PARTS = Table(
    "asset_parts",
    metadata,
    Column("asset", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("proof", LargeBinary, nullable=False),
)
INTENTS = Table(
    "asset_intents",
    metadata,
    Column("id", String, primary_key=True),
    Column("asset", String, nullable=False, index=True),
    Column("act", String, nullable=False),
    Column("who", String, nullable=False),
    Column("since_unix_s", Int64, nullable=False),
    Column("details", JSON, nullable=False),
)
#: Assets whose names rest under a key of their tenant's, and with none named the tenant itself.
OLDER = Table(
    "asset_older_texts",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("asset", String, primary_key=True),
)
#: What every part that comes and goes asks: put together once.
_PUT_PART = upsert(PARTS)
_ASSET = select(ASSETS).where(ASSETS.c.id == bindparam("one"))
_PARENTS_OF = select(PARENTS.c.parent).where(PARENTS.c.asset == bindparam("one"))
_PARENTS_OF = _PARENTS_OF.order_by(PARENTS.c.position)
_SHARES_OF = select(SHARES.c.tenant).where(SHARES.c.asset == bindparam("one"))
_PART = select(PARTS.c.number, PARTS.c.digest, PARTS.c.proof).where(
    PARTS.c.asset == bindparam("one"), PARTS.c.number == bindparam("at")
)
_TOUCH = update(ASSETS).where(ASSETS.c.id == bindparam("one"))
_TOUCH = _TOUCH.values(touched_unix_s=bindparam("now_s"))
_COLUMNS = [column.name for column in ASSETS.columns]


class SqlAssets:
    """`ports.assets.AssetTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def asset(self, asset: str) -> AssetRow | None:
        one = {"one": asset}
        row = self._connection.execute(_ASSET, one).mappings().one_or_none()
        if row is None:
            return None
        parents = list(self._connection.execute(_PARENTS_OF, one).scalars())
        return _asset(dict(row), parents, list(self._connection.execute(_SHARES_OF, one).scalars()))

    def assets(self, tenant: str | None) -> list[AssetRow]:
        if tenant is None:
            return self._found(None)
        shared = select(SHARES.c.asset).where(SHARES.c.tenant.in_([tenant, EVERYONE]))
        return self._found(or_(ASSETS.c.tenant == tenant, ASSETS.c.id.in_(shared)))

    def some(self, ids: Collection[str]) -> list[AssetRow]:
        return [row for chunk in _chunks(ids) for row in self._found(ASSETS.c.id.in_(chunk))]

    def lies(self, asset: str) -> tuple[str, ...]:
        query = select(ASSETS.c.store, ASSETS.c.other_store).where(ASSETS.c.id == asset)
        row = self._connection.execute(query).one_or_none()
        return () if row is None else tuple(store for store in row if store)

    def put_asset(self, row: AssetRow) -> None:
        for table in (ASSETS, SHARES, PARENTS):
            key = table.c.id if table is ASSETS else table.c.asset
            self._connection.execute(delete(table).where(key == row.id))
        values = {name: getattr(row, name) for name in _COLUMNS}
        values |= {"kind": row.kind.value, "state": row.state.value, "label": label_row(row.label)}
        self._connection.execute(insert(ASSETS).values(**values))
        shares = [{"asset": row.id, "tenant": tenant} for tenant in row.shared_with]
        parents = [
            {"asset": row.id, "parent": parent, "position": position}
            for position, parent in enumerate(row.parents)
        ]
        for table, rows in ((SHARES, shares), (PARENTS, parents)):
            if rows:
                self._connection.execute(insert(table), rows)

    def remove_asset(self, asset: str) -> None:
        for key in (ASSETS.c.id, SHARES.c.asset, PARENTS.c.asset, PARTS.c.asset, OLDER.c.asset):
            self._connection.execute(delete(key.table).where(key == asset))

    def children(self, ids: Collection[str]) -> set[str]:
        found: set[str] = set()
        for chunk in _chunks(ids):
            query = select(PARENTS.c.asset).where(PARENTS.c.parent.in_(chunk))
            found |= set(self._connection.execute(query).scalars())
        return found

    def newest_version(self, tenant: str, kind: AssetKind, name_mac: str) -> int:
        query = select(func.max(ASSETS.c.version)).where(
            ASSETS.c.tenant == tenant,
            ASSETS.c.kind == kind.value,
            ASSETS.c.name_mac == name_mac,
        )
        return self._connection.execute(query).scalar_one() or 0

    def named(self, tenant: str, kind: AssetKind, name_mac: str) -> list[AssetRow]:
        mine = (ASSETS.c.tenant == tenant) & (ASSETS.c.kind == kind.value)
        return self._found(mine & (ASSETS.c.name_mac == name_mac))

    def uploads(self, tenant: str | None = None) -> list[AssetRow]:
        uploading = ASSETS.c.state == AssetState.UPLOADING.value
        own = uploading if tenant is None else uploading & (ASSETS.c.tenant == tenant)
        return self._found(own)

    def ended(self, unix_s: int, limit: int) -> list[AssetRow]:
        live = ASSETS.c.state == AssetState.LIVE.value
        query = select(ASSETS.c.id).where(live, ASSETS.c.ends_unix_s <= unix_s)
        query = query.order_by(ASSETS.c.ends_unix_s, ASSETS.c.created_unix_us, ASSETS.c.id)
        ids = list(self._connection.execute(query.limit(limit)).scalars())
        return sorted(self.some(ids), key=lambda row: ids.index(row.id))

    def live(self, kind: AssetKind) -> list[AssetRow]:
        live = ASSETS.c.state == AssetState.LIVE.value
        return self._found(live & (ASSETS.c.kind == kind.value))

    def count(self, tenant: str | None = None) -> int:
        query = select(func.count()).select_from(ASSETS)
        query = query.where(ASSETS.c.state != AssetState.ERASED.value)
        if tenant is not None:
            query = query.where(ASSETS.c.tenant == tenant)
        return self._connection.execute(query).scalar_one()

    def parts(self, asset: str) -> dict[int, Part]:
        query = select(PARTS.c.number, PARTS.c.digest, PARTS.c.proof).where(PARTS.c.asset == asset)
        found = (Part(*row) for row in self._connection.execute(query.order_by(PARTS.c.number)))
        return {part.number: part for part in found}

    def part(self, asset: str, number: int) -> Part | None:
        row = self._connection.execute(_PART, {"one": asset, "at": number}).one_or_none()
        return None if row is None else Part(*row)

    def put_part(self, asset: str, part: Part, unix_s: int) -> None:
        self._connection.execute(_TOUCH, {"one": asset, "now_s": unix_s})
        self._connection.execute(_PUT_PART, {"asset": asset, **asdict(part)})

    def remove_part(self, asset: str, number: int) -> None:
        one = (PARTS.c.asset == asset) & (PARTS.c.number == number)
        self._connection.execute(delete(PARTS).where(one))

    def remove_parts(self, asset: str) -> None:
        self._connection.execute(delete(PARTS).where(PARTS.c.asset == asset))

    def forget_parts(self, asset: str, limit: int) -> int:
        some = select(PARTS.c.number).where(PARTS.c.asset == asset).limit(limit)
        those = (PARTS.c.asset == asset) & PARTS.c.number.in_(some.scalar_subquery())
        return self._connection.execute(delete(PARTS).where(those)).rowcount

    def close(self, ids: Collection[str]) -> None:
        self._change(ids, state=AssetState.ERASING.value)

    def empty(self, ids: Collection[str]) -> None:
        self._change(ids, name=b"", title=b"", digest="", resume="")

    def certify(self, ids: Collection[str], record: str) -> None:
        erased = {"state": AssetState.ERASED.value, "erased_by": record, "other_store": ""}
        for chunk in _chunks(ids):
            those = ASSETS.c.id.in_(chunk) & (ASSETS.c.state != AssetState.ERASED.value)
            self._connection.execute(update(ASSETS).where(those).values(**erased))
            self._connection.execute(delete(SHARES).where(SHARES.c.asset.in_(chunk)))
            self._connection.execute(delete(OLDER).where(OLDER.c.asset.in_(chunk)))

    def put_texts(self, asset: str, name: bytes, title: bytes) -> None:
        self._change([asset], name=name, title=title)

    def older_tenants(self) -> list[str]:
        query = select(OLDER.c.tenant).distinct().order_by(OLDER.c.tenant)
        return list(self._connection.execute(query).scalars())

    def older(self, tenant: str, limit: int) -> list[AssetRow]:
        query = select(OLDER.c.asset).where(OLDER.c.tenant == tenant, OLDER.c.asset != "")
        return self.some(list(self._connection.execute(query.limit(limit)).scalars()))

    def remove_older(self, tenant: str, asset: str) -> None:
        one = (OLDER.c.tenant == tenant) & (OLDER.c.asset == asset)
        self._connection.execute(delete(OLDER).where(one))

    def intents(self) -> list[Intent]:
        query = select(INTENTS).order_by(INTENTS.c.since_unix_s, INTENTS.c.id)
        return [_intent(row) for row in self._connection.execute(query).mappings()]

    def intents_of(self, ids: Collection[str]) -> list[Intent]:
        query = select(INTENTS).order_by(INTENTS.c.since_unix_s, INTENTS.c.id)
        found = (query.where(INTENTS.c.asset.in_(chunk)) for chunk in _chunks(ids))
        rows = (row for one in found for row in self._connection.execute(one).mappings())
        return [_intent(row) for row in rows]

    def intent(self, intent: str) -> Intent | None:
        query = select(INTENTS).where(INTENTS.c.id == intent)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _intent(row)

    def put_intent(self, intent: Intent) -> None:
        self.remove_intent(intent.id)
        values = {column.name: getattr(intent, column.name) for column in INTENTS.columns}
        self._connection.execute(insert(INTENTS).values(**values | {"act": intent.act.value}))

    def remove_intent(self, intent: str) -> None:
        self._connection.execute(delete(INTENTS).where(INTENTS.c.id == intent))

    def _change(self, ids: Collection[str], **values: object) -> None:
        for chunk in _chunks(ids):
            those = update(ASSETS).where(ASSETS.c.id.in_(chunk))
            self._connection.execute(those.values(**values))

    def _found(self, where: ColumnElement[bool] | None) -> list[AssetRow]:
        query = select(ASSETS) if where is None else select(ASSETS).where(where)
        query = query.order_by(ASSETS.c.created_unix_us, ASSETS.c.id)
        rows = [dict(row) for row in self._connection.execute(query).mappings()]
        ids = [row["id"] for row in rows]
        shares = self._beside(SHARES, SHARES.c.tenant, SHARES.c.tenant, ids)
        parents = self._beside(PARENTS, PARENTS.c.parent, PARENTS.c.position, ids)
        return [_asset(row, parents[row["id"]], shares[row["id"]]) for row in rows]

    def _beside(
        self, table: Table, column: Column[Any], order: Column[Any], ids: Collection[str]
    ) -> dict[str, list[str]]:
        """What another table says of each of `ids`."""
        found: dict[str, list[str]] = defaultdict(list)
        for chunk in _chunks(ids):
            query = select(table.c.asset, column).where(table.c.asset.in_(chunk)).order_by(order)
            for asset, value in self._connection.execute(query):
                found[asset].append(value)
        return found


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _asset(row: dict[str, Any], parents: list[str], shares: list[str]) -> AssetRow:
    typed = {
        "kind": AssetKind(row["kind"]),
        "state": AssetState(row["state"]),
        "label": label_of(row["label"]),
    }
    return AssetRow(**{**row, **typed}, parents=tuple(parents), shared_with=tuple(sorted(shares)))


def _intent(row: Any) -> Intent:
    return Intent(**{**row, "act": Action(row["act"])})

"""What erases reach, in SQL. Only plain SQL that SQLite and PostgreSQL share."""

from collections.abc import Collection

from sqlalchemy import (
    Column,
    Connection,
    Index,
    String,
    Table,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from inland.adapters.sql.assets import ASSETS, PARENTS
from inland.adapters.sql.schema_base import metadata
from inland.domain.assets import AssetState
from inland.ports.reach import Step

REACH = Table(
    "asset_reach",
    metadata,
    Column("root", String, primary_key=True),
    Column("asset", String, primary_key=True, index=True),
    Column("step", String, nullable=False),
    Index("ix_asset_reach_root_step", "root", "step"),
)


class SqlReach:
    """`ports.reach.ReachTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, root: str, asset: str) -> None:
        there = select(REACH.c.asset).where(REACH.c.root == root, REACH.c.asset == asset)
        if self._connection.execute(there).first() is None:
            values = {"root": root, "asset": asset, "step": Step.MET.value}
            self._connection.execute(insert(REACH).values(**values))

    def add_children(self, root: str, ids: Collection[str], limit: int) -> int:
        met = exists().where(REACH.c.root == root, REACH.c.asset == PARENTS.c.asset)
        found = select(PARENTS.c.asset).where(PARENTS.c.parent.in_(ids), ~met).distinct()
        found = found.limit(limit)
        new = list(self._connection.execute(found).scalars())
        rows = [{"root": root, "asset": asset, "step": Step.MET.value} for asset in new]
        if rows:
            self._connection.execute(insert(REACH), rows)
        return len(new)

    def at(self, root: str, step: Step, limit: int, *, root_first: bool = True) -> list[str]:
        is_root = REACH.c.asset == root
        order = is_root.desc() if root_first else is_root
        query = select(REACH.c.asset).where(REACH.c.root == root, REACH.c.step == step.value)
        query = query.order_by(order, REACH.c.asset).limit(limit)
        return list(self._connection.execute(query).scalars())

    def put(self, root: str, ids: Collection[str], step: Step) -> None:
        which = (REACH.c.root == root) & REACH.c.asset.in_(ids)
        self._connection.execute(update(REACH).where(which).values(step=step.value))

    def count(self, root: str, step: Step) -> int:
        query = select(func.count()).select_from(REACH)
        query = query.where(REACH.c.root == root, REACH.c.step == step.value)
        return self._connection.execute(query).scalar_one()

    def standing(self, root: str) -> int:
        there = (ASSETS.c.id == REACH.c.asset) & (ASSETS.c.state != AssetState.ERASED.value)
        passed = (REACH.c.root == root) & (REACH.c.step == Step.PASSED.value)
        query = select(func.count()).select_from(REACH).join(ASSETS, there).where(passed)
        return self._connection.execute(query).scalar_one()

    def roots(self, asset: str) -> list[str]:
        query = select(REACH.c.root).where(REACH.c.asset == asset).order_by(REACH.c.root)
        return list(self._connection.execute(query).scalars())

    def remove(self, root: str) -> None:
        self._connection.execute(delete(REACH).where(REACH.c.root == root))

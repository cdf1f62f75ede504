"""Batches and their sealed answers in SQL. Only plain SQL that SQLite and PostgreSQL share."""

from dataclasses import asdict

import msgspec
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from inland.adapters.sql.schema_base import Int64, metadata
from inland.domain.batches import UNDER_WAY, Answer, Batch

BATCHES = Table(
    "batches",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("created_unix_s", Int64, nullable=False),
    Column("batch", JSON, nullable=False),
    Index("ix_batches_tenant_created", "tenant", "created_unix_s"),
)
ANSWERS = Table(
    "batch_answers",
    metadata,
    Column("batch", String, primary_key=True),
    Column("number", Int64, primary_key=True, autoincrement=False),
    Column("failed", Boolean, nullable=False),
    Column("size", Int64, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
_MOVING = [state.value for state in UNDER_WAY]


class SqlBatches:
    """`ports.batches.BatchTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def batch(self, batch: str) -> Batch | None:
        query = select(BATCHES.c.batch).where(BATCHES.c.id == batch)
        found = self._connection.execute(query).scalar_one_or_none()
        return None if found is None else msgspec.convert(found, Batch)

    def batches(self, tenant: str, before: Batch | None, limit: int) -> list[Batch]:
        query = select(BATCHES.c.batch).where(BATCHES.c.tenant == tenant)
        created = BATCHES.c.created_unix_s
        if before is not None:
            same = (created == before.created_unix_s) & (BATCHES.c.id < before.id)
            query = query.where(or_(created < before.created_unix_s, same))
        query = query.order_by(created.desc(), BATCHES.c.id.desc()).limit(limit)
        return [msgspec.convert(one, Batch) for one in self._connection.execute(query).scalars()]

    def under_way(self) -> list[Batch]:
        query = select(BATCHES.c.batch).where(BATCHES.c.state.in_(_MOVING))
        query = query.order_by(BATCHES.c.created_unix_s, BATCHES.c.id)
        return [msgspec.convert(one, Batch) for one in self._connection.execute(query).scalars()]

    def put_batch(self, batch: Batch) -> None:
        values = {
            "tenant": batch.tenant,
            "state": batch.state.value,
            "created_unix_s": batch.created_unix_s,
            "batch": msgspec.to_builtins(batch),
        }
        which = update(BATCHES).where(BATCHES.c.id == batch.id)
        if self._connection.execute(which.values(**values)).rowcount == 0:
            self._connection.execute(insert(BATCHES).values(id=batch.id, **values))

    def forget_batches(self, tenant: str, keep: int) -> None:
        over = select(BATCHES.c.id).where(
            BATCHES.c.tenant == tenant, BATCHES.c.state.not_in(_MOVING)
        )
        over = over.order_by(BATCHES.c.created_unix_s.desc(), BATCHES.c.id.desc())
        for batch in list(self._connection.execute(over).scalars())[keep:]:
            self.forget_answers(batch)
            self._connection.execute(delete(BATCHES).where(BATCHES.c.id == batch))

    def put_answer(self, answer: Answer) -> None:
        which = (ANSWERS.c.batch == answer.batch) & (ANSWERS.c.number == answer.number)
        self._connection.execute(delete(ANSWERS).where(which))
        self._connection.execute(insert(ANSWERS).values(**asdict(answer)))

    def answered(self, batch: str, first: int, last: int) -> set[int]:
        query = select(ANSWERS.c.number).where(
            ANSWERS.c.batch == batch, ANSWERS.c.number >= first, ANSWERS.c.number <= last
        )
        return set(self._connection.execute(query).scalars())

    def counts(self, batch: str, *, failed: bool) -> tuple[int, int]:
        query = select(func.count(), func.coalesce(func.sum(ANSWERS.c.size), 0)).where(
            ANSWERS.c.batch == batch, ANSWERS.c.failed.is_(failed)
        )
        many, size = self._connection.execute(query).one()
        return int(many), int(size)

    def answers(self, batch: str, *, failed: bool, after: int, limit: int) -> list[Answer]:
        query = select(ANSWERS).where(
            ANSWERS.c.batch == batch, ANSWERS.c.failed.is_(failed), ANSWERS.c.number > after
        )
        query = query.order_by(ANSWERS.c.number).limit(limit)
        return [Answer(**row) for row in self._connection.execute(query).mappings()]

    def forget_answers(self, batch: str) -> None:
        self._connection.execute(delete(ANSWERS).where(ANSWERS.c.batch == batch))

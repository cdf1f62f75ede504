"""Feedback in SQL. Only plain SQL that SQLite and PostgreSQL share."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
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
    select,
    update,
)

from inland.adapters.sql.schema_base import Int64, metadata
from inland.domain.feedback import Feedback
from inland.domain.thumbs import Thumb, Thumbs

FEEDBACK = Table(
    "feedback",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("receipt", String, primary_key=True),
    Column("model", String, nullable=False),
    Column("release", String, nullable=False),
    Column("thumbs", String, nullable=False),
    Column("key", String, nullable=False),
    Column("unix_us", Int64, nullable=False),
    Column("book", String, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("teaches", Boolean, nullable=False),
    Column("waits", Boolean, nullable=False),
    Index("ix_feedback_release", "release", "unix_us"),
)
_C = FEEDBACK.c
#: Variables of one statement.
_AT_ONCE = 500


class SqlFeedback:
    """`ports.feedback.FeedbackTable` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def one(self, tenant: str, receipt: str) -> Feedback | None:
        query = select(FEEDBACK).where(_C.tenant == tenant, _C.receipt == receipt)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _feedback(row)

    def some(self, tenant: str | None, model: str | None, limit: int) -> list[Feedback]:
        query = select(FEEDBACK)
        if tenant is not None:
            query = query.where(_C.tenant == tenant)
        if model is not None:
            query = query.where(_C.model == model)
        query = query.order_by(_C.unix_us.desc(), _C.receipt.desc()).limit(limit)
        return [_feedback(row) for row in self._connection.execute(query).mappings()]

    def count(self, tenant: str) -> int:
        query = select(func.count()).select_from(FEEDBACK).where(_C.tenant == tenant)
        return self._connection.execute(query).scalar_one()

    def put(self, feedback: Feedback) -> None:
        self.remove(feedback.tenant, feedback.receipt)
        values = {**asdict(feedback), "thumbs": feedback.thumbs.value}
        self._connection.execute(insert(FEEDBACK).values(**values))

    def remove(self, tenant: str, receipt: str) -> None:
        which = (_C.tenant == tenant) & (_C.receipt == receipt)
        self._connection.execute(delete(FEEDBACK).where(which))

    def taught(self, books: Collection[str]) -> list[Feedback]:
        query = select(FEEDBACK).where(_C.book.in_(list(books)), _C.teaches)
        query = query.order_by(_C.unix_us, _C.receipt)
        return [_feedback(row) for row in self._connection.execute(query).mappings()]

    def collected(self, books: Collection[str]) -> None:
        its = _C.book.in_(list(books))
        self._connection.execute(update(FEEDBACK).where(its).values(waits=False))

    def empty(self, books: Collection[str]) -> None:
        gone = {"book": "", "sealed": b"", "teaches": False, "waits": False}
        ids = list(books)
        for at in range(0, len(ids), _AT_ONCE):
            its = _C.book.in_(ids[at : at + _AT_ONCE])
            self._connection.execute(update(FEEDBACK).where(its).values(**gone))

    def thumbs(self, release: str, since_unix_us: int) -> Thumb:
        query = select(_C.thumbs, func.count()).where(
            _C.release == release, _C.unix_us >= since_unix_us
        )
        rows = self._connection.execute(query.group_by(_C.thumbs)).all()
        found: dict[str, int] = {thumbs: count for thumbs, count in rows}  # noqa: C416 - typed rows
        return Thumb(found.get(Thumbs.UP.value, 0), sum(found.values()))

    def said(self, tenant: str, model: str, since_unix_us: int) -> tuple[int, int]:
        which = (_C.tenant == tenant) & (_C.model == model) & (_C.unix_us > since_unix_us)
        query = select(_C.teaches, func.count()).where(which).group_by(_C.teaches)
        rows = self._connection.execute(query).all()
        return sum(count for _, count in rows), sum(count for teaches, count in rows if teaches)


def _feedback(row: Any) -> Feedback:
    return Feedback(**{**row, "thumbs": Thumbs(row["thumbs"])})

"""Lines, their runs, steps and logs in SQL. Only plain SQL that SQLite and PostgreSQL share."""

from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from inland.adapters.sql.schema_base import Int64, metadata
from inland.domain.lines import (
    KeptLine,
    Line,
    LogLine,
    Materials,
    Run,
    RunState,
    Step,
    StepKind,
    StepState,
)

LINES = Table(
    "lines",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("line", JSON, nullable=False),
    Column("text", Text, nullable=False),
    Column("added_unix_s", Int64, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("key", String, nullable=False),
)
RUNS = Table(
    "line_runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("line", String, nullable=False),
    Column("by", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("began_unix_us", Int64, nullable=False),
    Column("text", Text, nullable=False),
    Column("materials", JSON, nullable=False),
    Column("why", Text, nullable=False),
    Column("ended_unix_us", Int64, nullable=True),
    Index("ix_line_runs_tenant_line", "tenant", "line"),
)
STEPS = Table(
    "line_steps",
    metadata,
    Column("run", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("inputs_digest", String, nullable=False, index=True),
    Column("began_unix_us", Int64, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("outputs_digest", String, nullable=False),
    Column("receipts", JSON, nullable=False),
    Column("reused", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("ended_unix_us", Int64, nullable=True),
)
LOGS = Table(
    "line_logs",
    metadata,
    Column("run", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("unix_us", Int64, nullable=False),
    Column("step", String, nullable=False),
    Column("text", Text, nullable=False),
)


class SqlLines:
    """`ports.lines.LineTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lines(self, tenant: str | None = None) -> list[KeptLine]:
        query = select(LINES)
        if tenant is not None:
            query = query.where(LINES.c.tenant == tenant)
        rows = self._connection.execute(query).mappings()
        return sorted((_kept(row) for row in rows), key=lambda one: (one.tenant, one.line.name))

    def line(self, tenant: str, name: str) -> KeptLine | None:
        query = select(LINES).where(LINES.c.tenant == tenant, LINES.c.name == name)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _kept(row)

    def put_line(self, kept: KeptLine) -> None:
        values = msgspec.to_builtins(kept)
        self._put(LINES, {**values, "name": kept.line.name})

    def remove_line(self, tenant: str, name: str) -> None:
        self.forget_runs(tenant, name, 0)
        which = (LINES.c.tenant == tenant) & (LINES.c.name == name)
        self._connection.execute(delete(LINES).where(which))

    def runs(self, tenant: str | None, line: str | None, limit: int) -> list[Run]:
        query = select(RUNS)
        if tenant is not None:
            query = query.where(RUNS.c.tenant == tenant)
        if line is not None:
            query = query.where(RUNS.c.line == line)
        query = query.order_by(RUNS.c.began_unix_us.desc(), RUNS.c.id.desc()).limit(limit)
        return [_run(row) for row in self._connection.execute(query).mappings()]

    def under_way(self) -> list[Run]:
        query = select(RUNS).where(RUNS.c.state == RunState.RUNNING.value)
        query = query.order_by(RUNS.c.began_unix_us, RUNS.c.id)
        return [_run(row) for row in self._connection.execute(query).mappings()]

    def run(self, run: str) -> Run | None:
        row = self._connection.execute(select(RUNS).where(RUNS.c.id == run)).mappings().first()
        return None if row is None else _run(row)

    def put_run(self, run: Run) -> None:
        self._put(RUNS, msgspec.to_builtins(run))

    def forget_runs(self, tenant: str, line: str, keep: int) -> None:
        over = select(RUNS.c.id).where(
            RUNS.c.tenant == tenant, RUNS.c.line == line, RUNS.c.state != RunState.RUNNING.value
        )
        over = over.order_by(RUNS.c.began_unix_us.desc(), RUNS.c.id.desc())
        for run in list(self._connection.execute(over).scalars())[keep:]:
            for table, column in ((LOGS, LOGS.c.run), (STEPS, STEPS.c.run), (RUNS, RUNS.c.id)):
                self._connection.execute(delete(table).where(column == run))

    def steps(self, run: str) -> dict[StepKind, Step]:
        rows = self._connection.execute(select(STEPS).where(STEPS.c.run == run)).mappings()
        found = {step.kind: step for step in (_step(row) for row in rows)}
        return {kind: found[kind] for kind in StepKind if kind in found}

    def put_step(self, step: Step) -> None:
        self._put(STEPS, msgspec.to_builtins(step))

    def remove_step(self, run: str, kind: StepKind) -> None:
        which = (STEPS.c.run == run) & (STEPS.c.kind == kind.value)
        self._connection.execute(delete(STEPS).where(which))

    def done_before(self, tenant: str, line: str, digest: str) -> Step | None:
        query = select(STEPS).join(RUNS, RUNS.c.id == STEPS.c.run)
        query = query.where(
            RUNS.c.tenant == tenant,
            RUNS.c.line == line,
            STEPS.c.inputs_digest == digest,
            STEPS.c.state == StepState.DONE.value,
        ).order_by(STEPS.c.ended_unix_us.desc(), STEPS.c.run)
        row = self._connection.execute(query.limit(1)).mappings().first()
        return None if row is None else _step(row)

    def log(self, run: str, unix_us: int, step: str, text: str, keep: int) -> None:
        newest = select(func.max(LOGS.c.number)).where(LOGS.c.run == run)
        number = (self._connection.execute(newest).scalar_one_or_none() or 0) + 1
        values = {"run": run, "number": number, "unix_us": unix_us, "step": step, "text": text}
        self._connection.execute(insert(LOGS).values(**values))
        old = (LOGS.c.run == run) & (LOGS.c.number <= number - keep)
        self._connection.execute(delete(LOGS).where(old))

    def logs(self, run: str, after: int, limit: int) -> list[LogLine]:
        query = select(LOGS.c.number, LOGS.c.unix_us, LOGS.c.step, LOGS.c.text)
        query = query.where(LOGS.c.run == run, LOGS.c.number > after)
        query = query.order_by(LOGS.c.number).limit(limit)
        return [LogLine(*row) for row in self._connection.execute(query)]

    def _put(self, table: Table, values: dict[str, Any]) -> None:
        keys = list(table.primary_key.columns)
        which = and_(*(column == values[column.name] for column in keys))
        row = {column.name: values[column.name] for column in table.columns}
        changed = self._connection.execute(update(table).where(which).values(**row))
        if changed.rowcount == 0:
            self._connection.execute(insert(table).values(**row))


def _kept(row: Any) -> KeptLine:
    values = {name: row[name] for name in ("tenant", "text", "added_unix_s", "paused", "key")}
    return KeptLine(line=msgspec.convert(row["line"], Line), **values)


def _run(row: Any) -> Run:
    typed = {
        "state": RunState(row["state"]),
        "materials": msgspec.convert(row["materials"], Materials),
    }
    return Run(**{**row, **typed})


def _step(row: Any) -> Step:
    typed = {
        "kind": StepKind(row["kind"]),
        "state": StepState(row["state"]),
        "receipts": tuple(row["receipts"]),
    }
    return Step(**{**row, **typed})

"""Runs of lines: begun, shown, cancelled, resumed. What a run does next its worker decides."""

from collections.abc import Callable
from dataclasses import replace

from inland.decide.lines.line_file import line_of
from inland.domain.errors import Conflict, Denied, NotFound
from inland.domain.lines import (
    RUN_LIFE,
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
from inland.domain.plant import Key
from inland.lines.lines import demand_idle, kept_line
from inland.lines.materials import Shelf
from inland.plant.candidates import Candidates, is_taken_back
from inland.plant.changes import Book, Changes
from inland.plant.tenants import refuse_beyond
from inland.ports.lines import LineTables
from inland.ports.store import Transaction

#: Runs and log lines that one answer holds.
SHOWN, LOG_LINES_SHOWN = 200, 1000
#: Steps that a run which is resumed takes anew, and which besides where its release was taken back.
_ANEW = frozenset({StepKind.CHECK})
_RELEASED = frozenset({StepKind.RELEASE, StepKind.ROLLOUT})
#: A person whose key is limited to models acts within it.
_RULE = "the key's own models"


class Runs:
    """The runs of one factory."""

    def __init__(
        self,
        changes: Changes,
        shelf: Shelf,
        most: int,
        keep: int,
        candidates: Candidates,
        stop: Callable[[str, str], None],
    ) -> None:
        """`most`: at work at once; `keep`: of a line, that are over; `stop`: nothing is done for
        a run any more when it returns."""
        self._changes = changes
        self._shelf = shelf
        self._most = most
        self._keep = keep
        self._candidates = candidates
        self._stop = stop

    def all(self, tenant: str | None = None, line: str | None = None) -> list[Run]:
        """The newest first."""
        with self._changes.store.read() as transaction:
            return transaction.lines.runs(tenant, line, SHOWN)

    def show(self, tenant: str | None, run: str) -> tuple[Run, dict[StepKind, Step]]:
        """Raises NotFound."""
        with self._changes.store.read() as transaction:
            return found_run(transaction.lines, tenant, run), transaction.lines.steps(run)

    def logs(self, tenant: str | None, run: str, after: int) -> list[LogLine]:
        """Those with a number beyond `after`. Raises NotFound."""
        with self._changes.store.read() as transaction:
            found_run(transaction.lines, tenant, run)
            return transaction.lines.logs(run, after, LOG_LINES_SHOWN)

    def begin(self, tenant: str, name: str, by: str, who: Key | None = None) -> Run:
        """Begin a run of a line for `who`, or for the trigger that `by` names; returns when it is
        on the books, with what the line's names stand for.

        Raises BadInput, Conflict, Denied, NotFound.
        """
        with self._changes.store.read() as transaction:
            kept = kept_line(transaction.lines, tenant, name)
        materials = self.materials(kept, who)
        with self._changes.act(by) as (transaction, book):
            kept = _unchanged(transaction.lines, kept)
            return self.put(transaction, book, kept, by, materials)

    def materials(self, kept: KeptLine, who: Key | None = None) -> Materials:
        """What the line's names stand for, if `who` may use its base. Raises BadInput, Denied."""
        if who is not None and who.models:
            _demand_base(who, kept.line)
        return self._shelf.materials(kept)

    def put(
        self, transaction: Transaction, book: Book, kept: KeptLine, by: str, materials: Materials
    ) -> Run:
        """As `begin`, in a transaction of somebody else's."""
        tenant, name = kept.tenant, kept.line.name
        demand_idle(transaction.lines, kept)
        refuse_beyond(self._most, _at_work(transaction.lines), "runs")
        facts = {
            "model": materials.model,
            "train": [one.asset for one in materials.train],
            "holdout": [one.asset for one in materials.holdout],
            "suites": [one.asset for one in materials.suites],
        }
        record = book("run.begin", name, tenant=tenant, **facts)
        now_us = self._changes.clock.unix_us()
        run = Run(record, tenant, name, by, RunState.RUNNING, now_us, kept.text, materials)
        transaction.lines.put_run(run)
        transaction.lines.forget_runs(tenant, name, self._keep)
        return run

    def cancel(self, who: Key, tenant: str | None, run: str) -> Run:
        """End it; nothing is done for it any more when it returns, and what it had begun to roll
        out is taken back. Raises Conflict, NotFound."""
        with self._changes.change(who.id) as change:
            found = found_run(change.lines, tenant, run)
            demand_life(found, RunState.CANCELLED)
            now_us = self._changes.clock.unix_us()
            why = f"cancelled by {who.id}"
            ended = replace(found, state=RunState.CANCELLED, why=why, ended_unix_us=now_us)
            change.lines.put_run(ended)
            facts = {"tenant": found.tenant, "line": found.line}
            change.book("run.end", run, state=ended.state.value, why=why, **facts)
            is_back = self._candidates.take_back(change, found)
        self._stop(run, why)
        if is_back:
            self._changes.wait_in_force(change.version)
        return ended

    def resume(self, who: Key, tenant: str | None, run: str) -> Run:
        """Go on with one that stopped short: behind its last step that is done. The check is made
        anew, for labels and policies may have changed, and so is a release that was taken back
        with it. `who` may do so who might begin it. Raises Conflict, Denied, NotFound."""
        with self._changes.act(who.id) as (transaction, book):
            found = found_run(transaction.lines, tenant, run)
            if who.models:
                _demand_base(who, line_of(found.text))
            demand_life(found, RunState.RUNNING)
            demand_idle(transaction.lines, kept_line(transaction.lines, found.tenant, found.line))
            refuse_beyond(self._most, _at_work(transaction.lines), "runs")
            anew = _ANEW | (_RELEASED if is_taken_back(transaction.state, run) else frozenset())
            for kind, step in transaction.lines.steps(run).items():
                if step.state is not StepState.DONE or kind in anew:
                    transaction.lines.remove_step(run, kind)
            going = replace(found, state=RunState.RUNNING, why="", ended_unix_us=None)
            transaction.lines.put_run(going)
            book("run.resume", run, tenant=found.tenant, line=found.line)
        return going


def found_run(tables: LineTables, tenant: str | None, run: str) -> Run:
    """The run, if it is `tenant`'s, or whoever's it is with None. Raises NotFound."""
    found = tables.run(run)
    if found is None or tenant not in {None, found.tenant}:
        raise NotFound(f"run {run!r}")
    return found


def demand_life(run: Run, state: RunState) -> None:
    """Raises Conflict for a move that a run's life does not have."""
    if state not in RUN_LIFE[run.state]:
        raise Conflict(f"run {run.id}", f"it is {run.state.value}, and not to be {state.value}")


def _demand_base(who: Key, line: Line) -> None:
    """Raises Denied where the line's base is none of the models that a key is limited to."""
    if line.base not in who.models:
        raise Denied(f"asking {line.base}", (), f"{_RULE} name others")


def _at_work(tables: LineTables) -> int:
    """Runs that something is done for: one that waits, for a person perhaps, holds nothing."""
    return sum(not run.why for run in tables.under_way())


def _unchanged(tables: LineTables, kept: KeptLine) -> KeptLine:
    now = kept_line(tables, kept.tenant, kept.line.name)
    if now.text != kept.text:
        raise Conflict(f"line {kept.line.name!r}", "it was declared anew just now; try again")
    return now

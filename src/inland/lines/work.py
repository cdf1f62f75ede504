"""The worker of runs: a controller of the plant's ticker. It looks which runs are under way, and
carries each on from where its steps stand: intent first, then the step, then its outcome booked.

A run that was cut anywhere is found again by its state, and goes on behind its last finished step.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from threading import Event, Lock

from inland.decide.lines.line_file import line_of
from inland.decide.lines.planning import Do, Over, digest_of, next_move
from inland.domain.assets import AssetState
from inland.domain.errors import BadInput, Busy, InlandError
from inland.domain.lines import Line, Run, RunState, Step, StepKind, StepState
from inland.lines.refusals import statement_in
from inland.lines.run_keys import RunKeys
from inland.lines.steps.step import Doing, Ended, Kinds, Outcome, Waiting
from inland.plant.changes import Changes
from inland.ports.store import Transaction

#: How long a stop waits for a step to notice, in seconds.
_STOP_S, _STOP_ALL_S = 30.0, 5.0
#: How long a run rests that could not be booked (a full disk), in seconds.
_REST_S = 5.0
#: Pause between two looks at what a run waits for, in seconds.
LOOK_S = 0.5
_WHY_CHARS = 2000
_LATER = "tried again soon"
_OWN_FAULT = "a fault of control's own; see its log"
_log = logging.getLogger("inland.lines")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is, in this life of control."""

    step: str
    done: int
    total: int
    what: str


@dataclass(slots=True)
class _Work:
    """A run that is carried on. `ending`: why it is to stop."""

    ending: str = ""
    progress: Progress | None = None
    over: Event = field(default_factory=Event)


class Worker:
    """Carries on the runs of one factory."""

    def __init__(
        self,
        changes: Changes,
        keys: RunKeys,
        kinds: Kinds,
        end_reading: Callable[[str, str], None],
        log_lines: int,
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """`end_reading`: nothing is read for a run any more when it returns. `log_lines`: kept of
        each run. `begin` runs what takes long on a thread that ends with the process."""
        self._changes = changes
        self._keys = keys
        self._kinds = kinds
        self._end_reading = end_reading
        self._log_lines = log_lines
        self._begin = begin
        self._lock = Lock()
        self._works: dict[str, _Work] = {}
        self._rests: dict[str, float] = {}
        self._stopping = self._is_idle = False

    def step(self) -> None:
        """Begin to carry on what is under way and nobody carries on."""
        with self._changes.store.read() as transaction:
            under_way = transaction.lines.under_way()
        self._is_idle = not under_way
        self._keys.end_others({run.id for run in under_way})
        with self._lock:
            if self._stopping:
                return
            now_s = self._changes.clock.monotonic()
            self._rests = {run: until for run, until in self._rests.items() if until > now_s}
            taken = self._works.keys() | self._rests.keys()
            new = [run for run in under_way if run.id not in taken]
            self._works.update({run.id: _Work() for run in new})
        for run in new:
            self._begin(lambda run=run: self._carry_on(run))  # type: ignore[misc]

    def rests(self) -> bool:
        """As controllers do: no run was under way."""
        return self._is_idle and not self._keys.holds()

    def progress(self, run: str) -> Progress | None:
        """How far its step is; None where none is being done."""
        with self._lock:
            work = self._works.get(run)
        return None if work is None else work.progress

    def stop(self, run: str, why: str) -> None:
        """Nothing is done for a run any more when it returns, but what cannot be stopped any more:
        a question that was asked."""
        with self._lock:
            work = self._works.get(run)
        if work is None:
            return
        work.ending = why
        self._end_reading(run, why)
        work.over.wait(_STOP_S)

    def stop_all(self) -> None:
        """For control's end: runs go on with the next one."""
        with self._lock:
            self._stopping = True
            works = dict(self._works)
        for run, work in works.items():
            work.ending = "the factory stops"
            self._end_reading(run, work.ending)
        for work in works.values():
            work.over.wait(_STOP_ALL_S)

    def _carry_on(self, run: Run) -> None:
        work = self._works[run.id]
        try:
            line = line_of(run.text)
            while self._one(run, line, work):
                pass
        except Ended:
            pass
        except BadInput as error:  # a file of an earlier version, which this one does not take
            self._book_end(run, Over(RunState.FAILED, str(error)))
        except Exception:  # noqa: BLE001 - one run's fault must stop no other
            _log.exception("a run rests where it stands", extra={"run": run.id})
            self._rest(run, _REST_S)
        finally:
            with self._lock:
                del self._works[run.id]
            work.over.set()

    def _rest(self, run: Run, seconds: float) -> None:
        with self._lock:
            self._rests[run.id] = self._changes.clock.monotonic() + seconds

    def _one(self, run: Run, line: Line, work: _Work) -> bool:
        """Take the next step; whether there may be more."""
        with self._changes.store.read() as transaction:
            steps = transaction.lines.steps(run.id)
            tables = transaction.lines
            move = next_move(
                line,
                run.materials,
                steps,
                lambda digest: _there(
                    transaction, tables.done_before(run.tenant, run.line, digest)
                ),
            )
        if isinstance(move, Over):
            self._keys.end(run.id, run.tenant, run.line)
            self._book_end(run, move)
            return False
        step = self._intended(run, move)
        if move.reuse is not None:
            before = move.reuse
            source = before.reused or before.run
            self._say(run, step, f"not done again: its inputs are those of run {source}")
            outcome = Outcome(before.outputs, before.receipts)
            self._book_step(run, replace(step, reused=source), outcome)
            return True
        return self._do(run, line, work, steps, step)

    def _do(
        self, run: Run, line: Line, work: _Work, steps: dict[StepKind, Step], step: Step
    ) -> bool:
        """Do a step that was intended; whether there may be more just now."""
        doing = self._doing(run, line, work, steps, step)
        try:
            done = self._kinds[step.kind](doing)
        except Busy as busy:  # for want of memory, say: it passes
            doing.go_on()
            self._note_wait(run, step, Waiting(_LATER, busy.why))
            self._rest(run, busy.retry_after_s)
            return False
        except (InlandError, OSError) as error:
            if work.ending:
                raise Ended from None
            self._book_failure(run, step, str(error))
        except Exception:  # noqa: BLE001 - one run's fault must stop no other
            _log.exception("a step failed", extra={"run": run.id, "step": step.kind.value})
            self._book_failure(run, step, _OWN_FAULT)
        else:
            doing.go_on()
            if isinstance(done, Waiting):
                self._note_wait(run, step, done)
                self._rest(run, LOOK_S)
                return False
            self._book_step(run, step, done)
        finally:
            work.progress = None
        return True

    def _doing(
        self, run: Run, line: Line, work: _Work, steps: dict[StepKind, Step], step: Step
    ) -> Doing:
        def going() -> None:
            if work.ending:
                raise Ended

        def progress(done: int, total: int, what: str) -> None:
            if work.progress is None:
                self._note_work(run, step)
            work.progress = Progress(step.kind.value, done, total, what)

        return Doing(run, line, steps, lambda text: self._say(run, step, text), progress, going)

    def _intended(self, run: Run, move: Do) -> Step:
        """On the books before anything of it is done. Raises Ended for a run that is over."""
        now_us = self._changes.clock.unix_us()
        step = Step(run.id, move.kind, StepState.RUNNING, move.inputs, move.digest, now_us)
        with self._changes.act(f"run {run.id}") as (transaction, book):
            found = transaction.lines.run(run.id)
            if found is None or found.state is not RunState.RUNNING:
                raise Ended
            before = transaction.lines.steps(run.id).get(move.kind)
            if before is not None and before.inputs_digest == move.digest:
                return before
            transaction.lines.put_step(step)
            facts = {"run": run.id, "tenant": run.tenant, "inputs": move.digest}
            book("step.begin", move.kind.value, **facts)
        return step

    def _note_wait(self, run: Run, step: Step, waiting: Waiting) -> None:
        """What a run waits for, where anybody sees it; no record: nothing was done."""
        if not step.why.startswith(waiting.what):
            self._say(run, step, waiting.what)
        self._note(run, step, str(waiting)[:_WHY_CHARS])

    def _note_work(self, run: Run, step: Step) -> None:
        """It waits no more: something is done for it again."""
        self._note(run, step, "")

    def _note(self, run: Run, step: Step, why: str) -> None:
        with self._changes.store.read() as transaction:
            noted = transaction.lines.steps(run.id).get(step.kind)
        if noted is not None and noted.why == why:
            return
        with self._changes.store.write() as transaction:
            found = transaction.lines.run(run.id)
            if found is not None and found.state is RunState.RUNNING:
                transaction.lines.put_step(replace(step, why=why))
                transaction.lines.put_run(replace(found, why=why))

    def _book_step(self, run: Run, step: Step, outcome: Outcome) -> None:
        state = StepState.REFUSED if outcome.refused else StepState.DONE
        self._end_step(
            run,
            replace(
                step,
                state=state,
                outputs=outcome.outputs,
                outputs_digest=digest_of(outcome.outputs),
                receipts=outcome.receipts,
                why=outcome.refused[:_WHY_CHARS],
            ),
        )

    def _book_failure(self, run: Run, step: Step, why: str) -> None:
        self._say(run, step, f"failed: {why}")
        self._end_step(run, replace(step, state=StepState.FAILED, why=why[:_WHY_CHARS]))

    def _end_step(self, run: Run, step: Step) -> None:
        now_us = self._changes.clock.unix_us()
        with self._changes.act(f"run {run.id}") as (transaction, book):
            found = transaction.lines.run(run.id)
            if found is None or found.state is not RunState.RUNNING:
                raise Ended
            transaction.lines.put_step(replace(step, ended_unix_us=now_us))
            transaction.lines.put_run(replace(found, why=""))
            book(
                "step.end",
                step.kind.value,
                run=run.id,
                tenant=run.tenant,
                state=step.state.value,
                inputs=step.inputs_digest,
                outputs=step.outputs_digest,
                reused=step.reused,
                why=step.why,
                receipts=len(step.receipts),
                receipts_sha256=digest_of(list(step.receipts)),
            )

    def _book_end(self, run: Run, over: Over) -> None:
        now_us = self._changes.clock.unix_us()
        with self._changes.act(f"run {run.id}") as (transaction, book):
            found = transaction.lines.run(run.id)
            if found is None or found.state is not RunState.RUNNING:
                return
            ended = replace(found, state=over.state, why=over.why, ended_unix_us=now_us)
            transaction.lines.put_run(ended)
            facts = {"tenant": run.tenant, "line": run.line}
            if over.state is RunState.REFUSED:
                facts["statement"] = sha256(statement_in(transaction, ended)).hexdigest()
            book("run.end", run.id, state=over.state.value, why=over.why, **facts)

    def _say(self, run: Run, step: Step, text: str) -> None:
        now_us = self._changes.clock.unix_us()
        with self._changes.store.write() as transaction:
            kind = step.kind.value
            transaction.lines.log(run.id, now_us, kind, text[:_WHY_CHARS], self._log_lines)


def _there(transaction: Transaction, before: Step | None) -> Step | None:
    """An earlier step, if what it made is there still."""
    adapter = None if before is None else before.outputs.get("adapter")
    if adapter is None:
        return before
    row = transaction.assets.asset(str(adapter))
    return before if row is not None and row.state is AssetState.LIVE else None

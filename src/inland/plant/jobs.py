"""Jobs: a command that reads a tenant's assets, shut in, and leaves nothing but what it printed.

A job is decided for its tenant and purpose, and on the books before anything is opened; how it
ended is too. Its output is an asset of the tenant, made from what the job read. A job ends with the
control that began it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Event, Lock

from inland.domain.assets import PART_BYTES, Action, AssetKind, part_count
from inland.domain.errors import BadInput, Conflict, Denied, InlandError, NotFound
from inland.domain.limits import Limits
from inland.domain.plant import Key
from inland.plant.asset_rulings import AssetRulings
from inland.plant.assets import demand_live, seen
from inland.plant.changes import Changes
from inland.plant.holders import Holders
from inland.plant.killed import RELEASE_S, Killed, demand_released
from inland.plant.tenants import found_tenant, refuse_beyond
from inland.plant.uploads import NewAsset, Uploads
from inland.ports.assets import AssetRow, Intent
from inland.ports.jobs import Cell, Cells, JobEnd, JobSpec

#: What a job may be for.
PURPOSES = (Action.TRAIN, Action.EVALUATE, Action.RETRIEVE)
MAX_ASSETS, MAX_WORDS, MAX_WORD_CHARS, MAX_READABLE = 64, 256, 4096, 16
#: Jobs that are over and still told of.
REMEMBERED = 256
_OWN_FAULT = "a fault of control's own; see its log"


class JobState(StrEnum):
    """Where a job is."""

    STARTING = "starting"  # its assets are being opened
    RUNNING = "running"
    DONE = "done"  # by itself, with 0
    FAILED = "failed"
    ENDED = "ended"  # by somebody, or because it may not hold any more what it read


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job asked for. `seconds` None: as long as `limits.job_s` lets it."""

    tenant: str
    purpose: Action
    assets: tuple[str, ...]
    command: tuple[str, ...]
    readable: tuple[str, ...] = ()
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is told of. `id`: of the record that it begins with. `output`: the asset that
    holds what it printed, None where that was nothing or could not be kept (`why`)."""

    id: str
    tenant: str
    purpose: Action
    assets: tuple[str, ...]
    command: tuple[str, ...]
    isolation: str
    began_unix_s: int
    state: JobState = JobState.STARTING
    why: str = ""
    exit_status: int | None = None
    pid: int | None = None
    ended_unix_s: int | None = None
    output: str | None = None
    printed_bytes: int = 0


@dataclass(slots=True)
class _Work:
    """A job of this life of control. `ending`: why it is being ended. `released`: nothing of what
    it read is in memory any more. `over`: it is on the books too."""

    job: Job
    who: Key
    order: JobOrder
    cell: Cell | None = None
    ending: str = ""
    released: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)


class Jobs:
    """The jobs of one factory."""

    def __init__(
        self,
        changes: Changes,
        rulings: AssetRulings,
        holders: Holders,
        uploads: Uploads,
        cells: Cells,
        limits: Limits,
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """`begin` runs what may take hours on a thread that ends with the process."""
        self._changes = changes
        self._rulings = rulings
        self._holders = holders
        self._uploads = uploads
        self._cells = cells
        self._limits = limits
        self._begin = begin
        self._lock = Lock()
        self._works: dict[str, _Work] = {}

    def all(self, tenant: str | None = None) -> list[Job]:
        """Those under way and the last that ended since control began, of all tenants or of one."""
        with self._lock:
            jobs = [work.job for work in self._works.values()]
        return [job for job in jobs if tenant in {None, job.tenant}]

    def show(self, tenant: str | None, job: str) -> Job:
        """Raises NotFound."""
        return self._found(tenant, job).job

    def run(self, who: Key, order: JobOrder) -> Job:
        """Decide it, book it, begin it; returns then.

        Raises BadInput, Conflict, Denied, NotFound.
        """
        _check(order, self._limits)
        if self._cells.isolation == "none":
            raise Conflict("the job", "this kernel cannot shut it in: see inland doctor")
        found_tenant(self._changes, order.tenant)
        with self._lock, self._changes.act(who.id) as (transaction, book):
            under_way = [work for work in self._works.values() if not work.over.is_set()]
            refuse_beyond(self._limits.jobs, len(under_way), "jobs")
            asking = replace(who, tenant=order.tenant)
            rows = [seen(transaction.assets, asking, one) for one in order.assets]
            decided = [self._decided(order, row) for row in rows]
            now_us = self._changes.clock.unix_us()
            facts = {
                "tenant": order.tenant,
                "purpose": order.purpose.value,
                "assets": list(order.assets),
                "command": list(order.command),
                "isolation": self._cells.isolation,
            }
            record = book("job.begin", order.tenant, **facts, **decided[0])
            job = Job(
                id=record,
                tenant=order.tenant,
                purpose=order.purpose,
                assets=order.assets,
                command=order.command,
                isolation=self._cells.isolation,
                began_unix_s=now_us // 1_000_000,
            )
            intent = Intent(record, rows[0].id, order.purpose, who.id, job.began_unix_s, facts)
            transaction.assets.put_intent(intent)
            self._forget_old()
            work = self._works[record] = _Work(job, who, order)
        self._begin(lambda: self._carry_out(work))
        return job

    def stop(self, who: str, tenant: str | None, job: str) -> Job:
        """End it; it is gone, and on the books, when it returns. It is asked to first, and has
        `limits.job_grace_s`. Raises NotFound."""
        work = self._found(tenant, job)
        self._ask(work, why := f"stopped by {who}")
        work.released.wait(self._limits.job_grace_s)
        demand_released([self._kill(work, why)], self._changes.clock)
        work.over.wait(RELEASE_S)
        return work.job

    def kill_those_denied(self) -> list[Killed]:
        """As `holders.Working` says."""
        with self._lock:
            held = [work for work in self._works.values() if not work.released.is_set()]
        denied = [(work, why) for work in held if (why := self._why_not(work))]
        return [self._kill(work, why) for work, why in denied]

    def holds(self) -> bool:
        """As `holders.Working` says."""
        with self._lock:
            return not all(work.released.is_set() for work in self._works.values())

    def end_all(self) -> None:
        """For control's end: what it began ends with it."""
        with self._lock:
            held = [work for work in self._works.values() if not work.over.is_set()]
        for work in held:
            self._ask(work, "the factory stops")
        until = self._changes.clock.monotonic() + self._limits.job_grace_s
        for work in held:
            work.released.wait(max(0.0, until - self._changes.clock.monotonic()))
        demand_released(
            [self._kill(work, "the factory stops") for work in held], self._changes.clock
        )
        for work in held:
            work.over.wait(RELEASE_S)

    def settle(self, intent: Intent) -> None:
        """Book the end of a job that an earlier control began: it ended with that."""
        with self._lock:
            if intent.id in self._works:
                return
        with self._changes.act("factory") as (transaction, book):
            if transaction.assets.intent(intent.id) is None:
                return
            transaction.assets.remove_intent(intent.id)
            facts = {"tenant": intent.details["tenant"], "job": intent.id}
            ended = {"state": JobState.ENDED.value, "why": "control ended", "exit_status": None}
            book("job.end", intent.details["tenant"], **facts, **ended, output=None)

    def _decided(self, order: JobOrder, row: AssetRow) -> dict[str, object]:
        demand_live(row)
        return self._rulings.demand_for(order.tenant, order.purpose, row).facts()

    def _why_not(self, work: _Work) -> str:
        """Why a job may not read any more what it reads; empty where it may."""
        order = work.order
        with self._changes.store.read() as transaction:
            rows = {row.id: row for row in transaction.assets.some(order.assets)}
        why = self._refused(order, rows)
        with self._changes.store.read() as transaction:  # last: what refused it is seen here
            tenant = transaction.state.tenant(order.tenant)
        if tenant is None or tenant.withdrawn:
            return f"{order.tenant} has withdrawn its keys"
        return why

    def _refused(self, order: JobOrder, rows: dict[str, AssetRow]) -> str:
        try:
            for asset in order.assets:
                if asset not in rows:
                    return f"asset {asset} is gone"
                self._rulings.demand_for(order.tenant, order.purpose, rows[asset])
        except (Denied, NotFound) as error:
            return str(error)
        return ""

    def _carry_out(self, work: _Work) -> None:
        """On a thread of its own, from its assets' opening to the record of its end."""
        end = JobEnd(None, _OWN_FAULT, bytearray(), 0)
        try:
            end = self._worked(work)
        except (InlandError, OSError) as error:
            end = replace(end, why=str(error))
        finally:
            self._finish(work, end)

    def _worked(self, work: _Work) -> JobEnd:
        with self._changes.store.read() as transaction:
            found = {row.id: row for row in transaction.assets.some(work.order.assets)}
        rows = [found[one] for one in work.order.assets]
        files = self._holders.opened(rows, lambda: _demand_going(work))
        try:
            spec = JobSpec(
                work.job.id,
                work.order.command,
                work.order.readable,
                self._limits.job_output_bytes,
                work.order.seconds or self._limits.job_s,
                self._limits.job_grace_s,
                self._limits.job_memory_bytes,
            )
            with self._lock:  # whoever ends it sees it begun, or keeps it from beginning
                if work.ending:
                    return JobEnd(None, "", bytearray(), 0)
                cell = self._cells.begin(spec, dict(zip(work.order.assets, files, strict=True)))
                work.cell = cell
                work.job = replace(work.job, state=JobState.RUNNING, pid=cell.pid)
        finally:
            for file in files:
                file.close()
        if why := self._why_not(work):  # decided again, once it can be ended
            self._kill(work, why)
        return cell.wait()

    def _ask(self, work: _Work, why: str) -> None:
        with self._lock:
            work.ending = work.ending or why
            cell = work.cell
        if cell is not None:
            cell.ask()

    def _kill(self, work: _Work, why: str) -> Killed:
        with self._lock:
            work.ending = work.ending or why
            cell = work.cell
        if cell is not None:
            cell.end()
        return Killed(f"job {work.job.id}", work.released)

    def _finish(self, work: _Work, end: JobEnd) -> None:
        state, why = JobState.FAILED, end.why
        if work.ending:
            state, why = JobState.ENDED, work.ending
        elif end.status == 0:
            state = JobState.DONE
        elif not why:
            why = f"it ended with {end.status}"
        output, not_kept = self._kept(work, end.output)
        end.output[:] = bytes(len(end.output))
        work.released.set()
        why = "; ".join(filter(None, (why, not_kept)))
        ended_s = self._changes.clock.unix_us() // 1_000_000
        facts = {
            "tenant": work.job.tenant,
            "job": work.job.id,
            "state": state.value,
            "why": why,
            "exit_status": end.status,
            "printed_bytes": end.printed_bytes,
            "output": output,
        }
        with self._changes.act(work.who.id) as (transaction, book):
            transaction.assets.remove_intent(work.job.id)
            book("job.end", work.job.tenant, **facts)
        work.job = replace(
            work.job,
            state=state,
            why=why,
            exit_status=end.status,
            pid=None,
            ended_unix_s=ended_s,
            output=output,
            printed_bytes=end.printed_bytes,
        )
        work.over.set()

    def _kept(self, work: _Work, output: bytearray) -> tuple[str | None, str]:
        """The asset that holds it; else why there is none."""
        if not output:
            return None, ""
        wanted = NewAsset(
            tenant=work.job.tenant,
            kind=AssetKind.DATASET,
            name=f"output of job {work.job.id}",
            bytes=len(output),
            parents=work.job.assets,
            run=work.job.id,
        )
        try:
            asset = self._uploads.begin(work.who, wanted).id
            for number in range(part_count(len(output))):
                part = output[number * PART_BYTES :][:PART_BYTES]
                self._uploads.put(work.who, asset, number, bytes(part))
            return self._uploads.finish(work.who, asset).id, ""
        except (InlandError, OSError) as error:
            return None, f"its output is not kept: {error}"

    def _found(self, tenant: str | None, job: str) -> _Work:
        with self._lock:
            work = self._works.get(job)
        if work is None or tenant not in {None, work.job.tenant}:
            raise NotFound(f"job {job!r}")
        return work

    def _forget_old(self) -> None:
        over = [name for name, work in self._works.items() if work.over.is_set()]
        for name in over[: max(0, len(over) - REMEMBERED)]:
            del self._works[name]


def _demand_going(work: _Work) -> None:
    """Raises Conflict with why it is being ended."""
    if work.ending:
        raise Conflict(f"job {work.job.id}", work.ending)


def _check(order: JobOrder, limits: Limits) -> None:
    if order.purpose not in PURPOSES:
        names = ", ".join(one.value for one in PURPOSES)
        raise BadInput("purpose", f"a job is for one of {names}")
    if not 0 < len(order.assets) <= MAX_ASSETS or len(set(order.assets)) != len(order.assets):
        raise BadInput("assets", f"name 1 to {MAX_ASSETS}, each once")
    words = (*order.command, *order.readable)
    if not 0 < len(order.command) <= MAX_WORDS or len(order.readable) > MAX_READABLE:
        raise BadInput("command", f"give 1 to {MAX_WORDS} words and at most {MAX_READABLE} paths")
    if any(len(word) > MAX_WORD_CHARS or "\0" in word for word in words):
        raise BadInput("command", f"each word has at most {MAX_WORD_CHARS} characters, none zero")
    if not all(path.startswith("/") for path in order.readable):
        raise BadInput("readable", "give absolute paths")
    if order.seconds is not None and not 0 < order.seconds <= limits.job_s:
        raise BadInput("seconds", f"give 1 to {limits.job_s}")

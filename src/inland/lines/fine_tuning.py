"""Fine-tuning jobs of a tenant, as OpenAI's API has them: runs of lines that train, whoever
declared these. One that is asked for here has a line of its own, which is run once, and is
forgotten with its run where `limits.jobs_kept` later ones are over.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace

from inland.decide.lines import fine_tuning
from inland.decide.lines.fine_tuning import SUITE, Wanted
from inland.decide.lines.line_file import line_of
from inland.domain.assets import Action, AssetKind
from inland.domain.errors import BadInput, NotFound
from inland.domain.labels import Purpose
from inland.domain.lines import KeptLine, Line, LogLine, Run, Step, StepKind
from inland.domain.plant import Key
from inland.lines.keeping import Content, Keeper
from inland.lines.lines import Lines
from inland.lines.materials import Shelf, base_of
from inland.lines.runs import Runs, found_run
from inland.plant.asset_room import AssetRoom
from inland.plant.asset_terms import AssetTerms
from inland.plant.changes import Changes
from inland.plant.uploads import NewAsset
from inland.ports.store import Transaction

#: What stands before a run's id where it is a job, and before an event's number and a checkpoint.
JOB, EVENT, CHECKPOINT = "ftjob-", "ftevent-", "ftckpt-"
#: Runs of a tenant, and lines of a log, that are looked at.
_RUNS, _LOG_LINES = 10_000, 1000
_DRAWN_BYTES, _SEED_BYTES = 5, 4


@dataclass(frozen=True, slots=True)
class Job:
    """A run that trains, its line and its steps."""

    run: Run
    line: Line
    steps: dict[StepKind, Step]

    @property
    def id(self) -> str:
        """As it is called."""
        return f"{JOB}{self.run.id}"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job asked for. `training`, `validation`: files; `seed`: None for any."""

    tenant: str
    model: str
    training: str
    validation: str | None
    suffix: str
    epochs: int | None
    batch: int | None
    rate: float | None
    seed: int | None
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class JobCheckpoint:
    """Where a job's training can be gone on from. `asset`: where it lies."""

    asset: str
    step: int
    created_unix_us: int


class FineTuning:
    """The fine-tuning jobs of one factory."""

    def __init__(
        self,
        changes: Changes,
        assets: AssetRoom,
        lines: Lines,
        runs: Runs,
        shelf: Shelf,
        keeper: Keeper,
        keep: int,
    ) -> None:
        """`keep`: jobs of a tenant that are over and still shown."""
        self._changes = changes
        self._assets = assets
        self._lines = lines
        self._runs = runs
        self._shelf = shelf
        self._keeper = keeper
        self._keep = keep

    def begin(self, who: Key, new: NewJob) -> Job:
        """Declare a line and begin its run; on the books, both or neither, when it returns.

        Raises BadInput naming the field, Conflict, Denied, NotFound, and what the vault does.
        """
        kept = self._kept(who, new)
        self._have_suite(who, new.tenant)
        try:
            materials = self._runs.materials(kept, who)
        except BadInput as error:
            raise _of_job(error) from None
        with self._changes.act(who.id) as (transaction, book):
            key = self._forget(transaction, new.tenant)
            kept = self._lines.put(transaction, book, replace(kept, key=key))
            run = self._runs.put(transaction, book, kept, who.id, materials)
        return Job(run, kept.line, {})

    def show(self, tenant: str, job: str) -> Job:
        """Raises NotFound."""
        with self._changes.store.read() as transaction:
            return _found(transaction, tenant, job)

    def some(self, tenant: str, after: str | None) -> Iterator[Job]:
        """The newest first, those behind `after`. Raises NotFound."""
        with self._changes.store.read() as transaction:
            last = None if after is None else _found(transaction, tenant, after).run.id
            runs = transaction.lines.runs(tenant, None, _RUNS)
        if last is not None:
            runs = runs[[run.id for run in runs].index(last) + 1 :]
        for run in runs:
            with self._changes.store.read() as transaction:
                job = _job(transaction, run)
            if job is not None:
                yield job

    def events(self, tenant: str, job: str) -> list[LogLine]:
        """What its log has, the newest first. Raises NotFound."""
        found: list[LogLine] = []
        with self._changes.store.read() as transaction:
            run, after = _found(transaction, tenant, job).run.id, 0
            while some := transaction.lines.logs(run, after, _LOG_LINES):
                found += some
                after = some[-1].number
        return found[::-1]

    def checkpoints(self, tenant: str, job: str) -> list[JobCheckpoint]:
        """Those that are there still, the newest first. Raises NotFound."""
        run = self.show(tenant, job).run
        return [
            JobCheckpoint(row.id, _step(self._keeper.titled(row)), row.created_unix_us)
            for row in reversed(self._keeper.made(run, AssetKind.CHECKPOINT))
        ]

    def cancel(self, who: Key, tenant: str, job: str) -> Job:
        """End it; nothing is done for it any more when it returns. Raises Conflict, NotFound."""
        run = self.show(tenant, job).run
        self._runs.cancel(who, tenant, run.id)
        return self.show(tenant, job)

    def _kept(self, who: Key, new: NewJob) -> KeptLine:
        """The line that it comes to."""
        base = self._base(new)
        training = self._asset(who, new.tenant, "training_file", new.training, Action.TRAIN)
        held = new.validation
        validation = (
            None
            if held is None
            else self._asset(who, new.tenant, "validation_file", held, Action.EVALUATE)
        )
        entropy = self._changes.entropy
        drawn = base64.b32encode(entropy(_DRAWN_BYTES)).decode().lower()
        seed = int.from_bytes(entropy(_SEED_BYTES)) >> 1 if new.seed is None else new.seed
        wanted = Wanted(
            model=new.model,
            training=training,
            seed=seed,
            validation=validation,
            suffix=new.suffix,
            epochs=new.epochs,
            batch=new.batch,
            rate=new.rate,
            metadata=new.metadata,
        )
        name = fine_tuning.model_name(new.model, new.suffix, drawn)
        text = fine_tuning.line_text(name, wanted, base)
        try:
            line = line_of(text)
        except BadInput as error:
            raise _of_job(error) from None
        return KeptLine(new.tenant, line, text, self._changes.clock.unix_us() // 1_000_000)

    def _asset(self, who: Key, tenant: str, field: str, file: str, action: Action) -> str:
        """The asset that a file is, if it may be used so. Raises BadInput, Denied."""
        try:
            row = self._assets.files.show(tenant, file)
        except NotFound as error:
            raise BadInput(field, f"{error}: upload it with purpose fine-tune") from None
        self._assets.rulings.demand(who, action, row)
        return row.id

    def _base(self, new: NewJob) -> str | None:
        """The digest of what a deployment serves. Raises BadInput."""
        snapshot = self._changes.snapshot()
        try:
            return base_of(snapshot, new.tenant, new.model)[1]
        except BadInput as error:
            served = snapshot.serving.values()
            over = [one for one in served if (one.tenant, one.name) == (new.tenant, new.model)]
            if over and not over[0].key:
                why = f"{new.model} is trained over {over[0].deployment}: give that"
                raise BadInput("model", why) from None
            raise _of_job(error) from None

    def _have_suite(self, who: Key, tenant: str) -> None:
        """The tenant has a suite by which its jobs are held, the shipped one unless it is its
        own."""
        if self._shelf.has(tenant, SUITE, AssetKind.SUITE):
            return
        uploads, data = self._assets.uploads, fine_tuning.shipped_suite()
        wanted = NewAsset(
            tenant=tenant,
            kind=AssetKind.SUITE,
            name=SUITE,
            bytes=len(data),
            terms=AssetTerms(purposes=(Purpose.EVALUATE,)),
        )
        upload = uploads.begin(who, wanted).id
        try:
            for number, part in enumerate(Content.of(data).parts()):
                uploads.put(who, upload, number, part)
            uploads.finish(who, upload)
        except BaseException:
            uploads.give_up(who, upload)
            raise

    def _forget(self, transaction: Transaction, tenant: str) -> str:
        """Jobs' lines beyond those that are kept, the oldest; the id of a key that one leaves."""
        tables, left = transaction.lines, ""
        under_way = {(run.tenant, run.line) for run in tables.under_way()}
        over = [
            one
            for one in tables.lines(tenant)
            if one.line.once and (tenant, one.line.name) not in under_way
        ]
        over.sort(key=lambda one: one.added_unix_s)
        for one in over[: max(0, len(over) - self._keep)]:
            tables.remove_line(tenant, one.line.name)
            key = transaction.state.key(one.key) if one.key else None
            left = one.key if key is not None and not key.revoked else left
        return left


def _found(transaction: Transaction, tenant: str, job: str) -> Job:
    """Raises NotFound, in the same words whatever is not there."""
    try:
        run = found_run(transaction.lines, tenant, job.removeprefix(JOB))
    except NotFound:
        run = None
    found = None if run is None or not job.startswith(JOB) else _job(transaction, run)
    if found is None:
        raise NotFound(f"fine-tuning job {job!r}")
    return found


def _job(transaction: Transaction, run: Run) -> Job | None:
    """What a run is as a job; None for one that trains nothing."""
    try:
        line = line_of(run.text)
    except BadInput:  # a file of an earlier version, which this one does not take
        return None
    if line.method is None:
        return None
    return Job(run, line, transaction.lines.steps(run.id))


def _of_job(error: BadInput) -> BadInput:
    """In the words of who asked for a job."""
    return BadInput(fine_tuning.FIELDS.get(error.field, error.field), error.why)


def _step(title: str) -> int:
    number = title.removeprefix("step ")
    return int(number) if number.isdigit() else 0

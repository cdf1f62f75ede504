"""Where a release comes from, or a run that came to none, as the books have it: the changes that
name it, and of the run each step, to be held to what the log says of them."""

from dataclasses import dataclass

from inland.decide.lines.planning import text_of
from inland.domain.errors import Conflict
from inland.domain.lines import Run, Step, StepKind, StepState
from inland.domain.releases import Release
from inland.ledger.records import Record
from inland.plant.books.mentions import changes_naming
from inland.ports.store import Store, Transaction


@dataclass(frozen=True, slots=True)
class Shown:
    """A step: the texts whose SHA-256 the log has, and the requests that it made."""

    inputs: str
    outputs: str
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """`records`: the changes that tell of it, the oldest first; `steps`: of its run."""

    records: tuple[Record, ...]
    steps: dict[str, Shown]


def origin_of(store: Store, release: Release) -> Origin:
    """Of a release. Raises Conflict where the run that made it is not kept any more."""
    with store.read() as transaction:
        run, steps = _run(transaction, release)
    about = _About(release.id, release.adapter, run)
    return _origin(store, about, steps, release.created_unix_s * 1_000_000)


def origin_of_run(store: Store, run: Run) -> Origin:
    """Of a run by itself: what it came to, if it was no release, was refused."""
    with store.read() as transaction:
        steps = transaction.lines.steps(run.id)
    over = {kind.value: step for kind, step in steps.items() if step.state in _OVER}
    trained = steps.get(StepKind.TRAIN)
    adapter = None if trained is None else trained.outputs.get("adapter")
    return _origin(store, _About(run.id, adapter, run), over, run.began_unix_us)


#: Steps that came to something.
_OVER = frozenset({StepState.DONE, StepState.REFUSED})


@dataclass(frozen=True, slots=True)
class _About:
    """What an origin tells of: a release or a run of that id, the adapter, the run."""

    id: str
    adapter: str | None
    run: Run | None

    @property
    def assets(self) -> set[str]:
        made = set() if self.adapter is None else {self.adapter}
        return made if self.run is None else made | set(_used(self.run))

    def is_told_by(self, record: Record) -> bool:
        run = None if self.run is None else self.run.id
        match record["what"]:
            case "asset.add":
                return record["subject"] in self.assets
            case "run.begin":
                return bool(record["id"] == run)
            case "run.end":
                return bool(record["subject"] == run)
            case "step.begin" | "step.end":
                return run is not None and record["details"]["run"] == run
            case str(what):
                return what.startswith("release.") and record["subject"] == self.id
            case _:
                return False


def _origin(store: Store, about: _About, steps: dict[str, Step], unix_us: int) -> Origin:
    """`unix_us`: when it was made, which some of what it was made of was before."""
    with store.read() as transaction:
        rows = transaction.assets.some(list(about.assets))
    since = min([unix_us, *(row.created_unix_us for row in rows)])
    ids = {about.id, *about.assets, *([] if about.run is None else [about.run.id])}
    found = changes_naming(store, ids, since)
    records = tuple(one for one in found if about.is_told_by(one))
    return Origin(records, {kind: _shown(step) for kind, step in steps.items()})


def _run(transaction: Transaction, release: Release) -> tuple[Run | None, dict[str, Step]]:
    """The run that made it, and its steps that are done."""
    named = release.evidence.run
    if not named:
        return None, {}
    run = transaction.lines.run(named)
    if run is None or run.tenant != release.tenant:
        why = f"run {named}, which it says made it, is not kept: limits.runs_kept says how many are"
        raise Conflict(f"release {release.id!r}", why)
    steps = transaction.lines.steps(named).items()
    return run, {kind.value: step for kind, step in steps if step.state is StepState.DONE}


def _used(run: Run) -> list[str]:
    materials = run.materials
    return [one.asset for one in (*materials.train, *materials.holdout, *materials.suites)]


def _shown(step: Step) -> Shown:
    return Shown(text_of(step.inputs), text_of(step.outputs), step.receipts)

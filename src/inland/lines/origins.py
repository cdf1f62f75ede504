"""Where a release comes from, as the books have it: the changes that name it, and of the run that
made it each step, to be held to what the log says of them."""

from dataclasses import dataclass

from inland.decide.lines.planning import text_of
from inland.domain.errors import Conflict
from inland.domain.lines import Run, Step, StepState
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
    """`records`: the changes that tell of a release, the oldest first; `steps`: of its run."""

    records: tuple[Record, ...]
    steps: dict[str, Shown]


def origin_of(store: Store, release: Release) -> Origin:
    """Raises Conflict where the run that made it is not kept any more."""
    with store.read() as transaction:
        run, steps = _run(transaction, release)
        used = [] if run is None else _used(run)
        rows = transaction.assets.some([release.adapter, *used])
    moments = [row.created_unix_us for row in rows]
    moments += [release.created_unix_s * 1_000_000]
    ids = {release.id, release.adapter, *used, *([] if run is None else [run.id])}
    found = changes_naming(store, ids, min(moments))
    records = tuple(one for one in found if _tells(one, release, run, used))
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


def _tells(record: Record, release: Release, run: Run | None, used: list[str]) -> bool:
    match record["what"]:
        case "asset.add":
            return record["subject"] in {release.adapter, *used}
        case "run.begin":
            return run is not None and record["id"] == run.id
        case "step.begin" | "step.end":
            return run is not None and record["details"]["run"] == run.id
        case str(what):
            return what.startswith("release.") and record["subject"] == release.id
        case _:
            return False


def _shown(step: Step) -> Shown:
    return Shown(text_of(step.inputs), text_of(step.outputs), step.receipts)

"""Runs that were refused, as it is signed: what was tried, on what data, what it scored, and which
step refused it, so that who says so can show it.

A run's end has the statement's SHA-256 on the books. It is signed for whoever asks, made again of
the run as it is kept: where that is not what was booked, nothing is signed.
"""

from hashlib import sha256

from inland.decide.lines.line_file import line_of
from inland.domain.errors import Conflict
from inland.domain.lines import Run, RunState, Step, StepKind, StepState
from inland.lines.evidence import MAC, evidence_of
from inland.lines.origins import Origin, origin_of_run
from inland.lines.runs import found_run
from inland.plant.provenance import Tried, refusal
from inland.ports.signing import Signer
from inland.ports.store import Store, Transaction


class Refusals:
    """Those of one factory."""

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    def signed(self, tenant: str | None, run: str) -> tuple[str, Origin]:
        """The statement in its envelope, and what the log has of the run. Raises NotFound,
        Conflict."""
        with self._store.read() as transaction:
            found = found_run(transaction.lines, tenant, run)
            if found.state is not RunState.REFUSED:
                why = f"it is {found.state.value}, and only of one that was refused it is signed"
                raise Conflict(f"run {run!r}", why)
            told = statement_in(transaction, found)
        origin = origin_of_run(self._store, found)
        booked = [
            one["details"].get("statement") for one in origin.records if one["what"] == "run.end"
        ]
        if sha256(told).hexdigest() not in booked[-1:]:
            why = "what the log says of its end is not what is left of it: was its adapter erased?"
            raise Conflict(f"run {run!r}", why)
        return self._signer.sign(told), origin


def statement_in(transaction: Transaction, run: Run) -> bytes:
    """What is signed of a run that a step refused."""
    steps = transaction.lines.steps(run.id)
    line = line_of(run.text)
    check = steps.get(StepKind.CHECK)
    code = "" if check is None else str(check.outputs.get("code", ""))
    tried = Tried(
        run=run.id,
        tenant=run.tenant,
        line=run.line,
        model=line.release or line.name,
        deployment=line.base,
        base=run.materials.base or "",
        adapter=_adapter(transaction, steps.get(StepKind.TRAIN)),
        evidence=evidence_of(run, steps, code),
        step=next(kind for kind, one in steps.items() if one.state is StepState.REFUSED).value,
        why=run.why,
        ended_unix_s=(run.ended_unix_us or 0) // 1_000_000,
    )
    return refusal(tried)


def _adapter(transaction: Transaction, train: Step | None) -> str:
    """The digest of what was trained; empty where nothing was, or it is erased."""
    named = None if train is None else train.outputs.get("adapter")
    row = None if named is None else transaction.assets.asset(str(named))
    return "" if row is None or not row.digest else f"{MAC}:{row.digest}"

"""Candidates: what a run of a line trained, served beside the base for the run alone, and then
proposed as the release it is to be: one with the run's id, so that no run makes two, and a name,
`LINE@RUN`, that nobody can give, and the run's key alone ask for. It goes when its run is over and
nobody approved it, or is cancelled before it is live; where that run goes on, it is one again.
"""

from dataclasses import dataclass, replace

from inland.domain.errors import Conflict, NotFound
from inland.domain.lines import Run, RunState
from inland.domain.releases import (
    UNAPPROVED,
    UNDER_WAY,
    Evidence,
    Pace,
    Release,
    ReleaseState,
    candidate_name,
)
from inland.plant.changes import Change, Changes
from inland.plant.release_moves import (
    give_up,
    live_of,
    put,
    refuse_move,
    roll_back,
    under_way,
)
from inland.plant.release_orders import (
    Order,
    check,
    check_name,
    new_release,
    refuse_full,
    refuse_taken,
)
from inland.plant.releases import Releases
from inland.ports.state import StateTables

#: Who takes away what a run that is over left.
_RUNS = "runs"
#: Why a release went with its run. A run that is resumed then has it again, and one that went for
#: another reason not.
LEFT, CANCELLED = "its run is over", "its run was cancelled"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a tenant's name stands for: `live`, and what is `coming` to take its place."""

    live: Release | None
    coming: Release | None


class Candidates:
    """The candidates of one factory."""

    def __init__(self, changes: Changes, releases: Releases) -> None:
        self._changes = changes
        self._releases = releases

    def of(self, run: Run) -> Release | None:
        """What a run made, as it is now; None where it is to be made anew, for it was taken back
        with the run."""
        with self._changes.store.read() as transaction:
            state = transaction.state
            return None if is_taken_back(state, run.id) else state.release(run.id)

    def standing(self, tenant: str, name: str) -> Standing:
        """What a tenant's name stands for."""
        with self._changes.store.read() as transaction:
            state = transaction.state
            return Standing(live_of(state, tenant, name), under_way(state, tenant, name))

    def try_out(self, run: Run, deployment: str, adapter: str, key: str) -> Release:
        """The run's candidate, which engines load if they do not have it yet; `key`: the one that
        may ask for it.

        Raises NotFound where the adapter is not the run's tenant's, Conflict where the run is over
        or it made a release before, and what `Releases.propose` does.
        """
        found = self.of(run)
        if found is not None and found.state in UNAPPROVED:
            return self._under_key(found, key)
        order = Order(candidate_name(run.line, run.id), deployment, adapter)
        model = self._releases.vetted(adapter)
        if model.label.owner != run.tenant:
            raise NotFound(f"asset {adapter!r}")
        by = f"run {run.id}"
        with self._changes.change(by) as change:
            _demand_going(change, run)
            before = change.state.release(run.id)
            if before is not None and before.why not in {LEFT, CANCELLED}:
                told = f"its release is {before.state.value}: {before.why}; begin another run"
                raise Conflict(f"run {run.id}", told)
            made = new_release(change, run.id, model, order, by, ReleaseState.CANDIDATE)
            made = replace(made, run=run.id, key=key)
            refuse_full(change.state, made, change.unix_s)
            put(change, "release.candidate", made)
        return made

    def propose(self, run: Run, name: str, evidence: Evidence, pace: Pace) -> Release:
        """Put the run's candidate up for approval, under the name that users will call. Raises
        BadInput, Conflict, NotFound."""
        check_name(name)
        check(pace, evidence)
        with self._changes.change(f"run {run.id}") as change:
            _demand_going(change, run)
            found = change.state.release(run.id)
            if found is None:
                raise NotFound(f"release {run.id!r}")
            refuse_move(found, ReleaseState.PROPOSED)
            refuse_taken(change.state, name)
            proposed = replace(
                found,
                state=ReleaseState.PROPOSED,
                since_unix_s=change.unix_s,
                name=name,
                evidence=evidence,
                pace=pace,
                key="",
            )
            put(change, "release.propose", proposed)
        return proposed

    def approve(self, run: Run) -> Release:
        """For a line whose gate approves: as `Releases.approve`."""
        return self._releases.approve_as(f"gate of line {run.line}", run.tenant, run.id)

    def take_back(self, change: Change, run: Run) -> bool:
        """Of a run that is cancelled by `change`, what was approved and is not live yet: what was
        live before answers alone. Whether there was such."""
        found = change.state.release(run.id)
        if found is None or found.state not in UNDER_WAY:
            return False
        roll_back(change, found, CANCELLED)
        return True

    def how(self, release: Release) -> str:
        """What was said last of one that is rolled out."""
        return self._releases.said.get(release.id, "")

    def show(self, tenant: str, release: str) -> Release:
        """Raises NotFound."""
        return self._releases.show(tenant, release)

    def step(self) -> None:
        """What a run that is over left, and nobody approved, goes: a controller of the plant's
        ticker."""
        with self._changes.store.read() as transaction:
            left = [
                one
                for one in transaction.state.releases().values()
                if one.run and one.state in UNAPPROVED
            ]
            going = {one.id for one in transaction.lines.under_way()} if left else set()
        left = [one for one in left if one.run not in going]
        if not left:
            return
        with self._changes.change(_RUNS) as change:
            for before in left:
                run = change.lines.run(before.run)
                now = change.state.release(before.id)
                if now == before and (run is None or run.state is not RunState.RUNNING):
                    give_up(change, now, LEFT)

    def _under_key(self, found: Release, key: str) -> Release:
        """A line that is declared anew has another key, where its own was revoked."""
        if found.key == key or found.state is ReleaseState.PROPOSED:
            return found
        with self._changes.change(f"run {found.run}") as change:
            now = change.state.release(found.id)
            if now is None or now.state not in UNAPPROVED:
                raise Conflict(f"release {found.id!r}", "it changed just now; resume the run")
            now = replace(now, key=key)
            change.state.put_release(now)
            change.touch()
        return now


def is_taken_back(state: StateTables, run: str) -> bool:
    """Whether what a run had begun to roll out went when it was cancelled."""
    found = state.release(run)
    gone = (ReleaseState.ROLLED_BACK, CANCELLED)
    return found is not None and (found.state, found.why) == gone


def _demand_going(change: Change, run: Run) -> None:
    now = change.lines.run(run.id)
    if now is None or now.state is not RunState.RUNNING:
        raise Conflict(f"run {run.id}", "it is over")

"""Releases: proposed, approved, rolled out, and taken back in one step. Those that runs of lines
make are tried out first (`candidates.py`).

A release answers once every engine of its deployment that is ready has its adapter. What was live
before stays in the engines' lists, so that a rollback starts nothing. At most one release of a name
is under way.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256

from inland.decide.lines.rollout import Seen, Then, lingers, past, verdict
from inland.domain.assets import Action, AssetKind
from inland.domain.errors import Conflict, NotFound
from inland.domain.ids import UUID7_RANDOM_BYTES, uuid7
from inland.domain.lines import RunState
from inland.domain.plant import Key, Model, Replica, ReplicaState
from inland.domain.releases import Release, ReleaseState
from inland.plant.asset_rulings import AssetRulings
from inland.plant.changes import Change, Changes
from inland.plant.provenance import statement
from inland.plant.release_moves import (
    Move,
    blamed,
    come,
    gone_on,
    judged,
    let_in,
    live_of,
    pass_by,
    put,
    refuse_move,
    roll_back,
    taken_back,
    under_way,
)
from inland.plant.release_orders import (
    Order,
    base_of,
    check,
    check_name,
    live_row,
    new_release,
    refuse_full,
    refuse_taken,
)
from inland.ports.signing import Signer
from inland.ports.state import StateTables

#: Who moves a release on by itself.
ROLLOUT = "rollout"
#: Releases that engines are being started for.
COMING = frozenset({ReleaseState.CANDIDATE, ReleaseState.APPROVED})

#: What a release that is rolled out, and the one that is live, came to since its last step.
Traffic = Callable[[Release], tuple[Seen, Seen]]


class Releases:
    """The releases of one factory."""

    def __init__(
        self,
        changes: Changes,
        rulings: AssetRulings,
        vetted: Callable[[str, AssetKind], Model],
        signer: Signer,
        traffic: Traffic,
    ) -> None:
        """`vetted`: of an asset's id the adapter that its content is, once it was decided on and
        inspected."""
        self._changes = changes
        self._rulings = rulings
        self._vetted = vetted
        self._signer = signer
        self._traffic = traffic
        self._compared: dict[str, dict[str, dict[str, int]]] = {}
        #: By release that is rolled out: what was said of it last.
        self.said: dict[str, str] = {}
        self._rests = False

    def all(self, tenant: str | None = None) -> list[Release]:
        """Every release, or those of one tenant, the newest first."""
        with self._changes.store.read() as transaction:
            found = transaction.state.releases(past=True).values()
        mine = [one for one in found if tenant in {None, one.tenant}]
        return sorted(mine, key=lambda one: one.id, reverse=True)

    def show(self, tenant: str | None, release: str) -> Release:
        """Raises NotFound."""
        with self._changes.store.read() as transaction:
            found = _found(transaction.state, tenant, release)
        if found.state is not ReleaseState.ROLLING_OUT:
            return found
        return replace(found, compared=self._compared.get(release, found.compared))

    def signed(self, tenant: str | None, release: str) -> str:
        """The statement that was signed when it was approved. Raises NotFound."""
        with self._changes.store.read() as transaction:
            _found(transaction.state, tenant, release)
            signed = transaction.state.statement(release)
        if signed is None:
            raise NotFound(f"statement of release {release!r}: it was never approved")
        return signed

    def propose(self, who: Key, order: Order) -> Release:
        """Put a release up for approval. Raises BadInput, Conflict, Denied, NotFound, Busy, and
        what the vault does."""
        check_name(order.name)
        check(order.pace, order.evidence)
        adapter = self._vetted(order.adapter, AssetKind.ADAPTER)
        unix_us = self._changes.clock.unix_us()
        made = uuid7(unix_us // 1000, self._changes.entropy(UUID7_RANDOM_BYTES))
        with self._changes.change(who.id) as change:
            refuse_taken(change.state, order.name)
            release = new_release(change, made, adapter, order, who.id, ReleaseState.PROPOSED)
            put(change, "release.propose", release)
        return release

    def vetted(self, adapter: str) -> Model:
        """The adapter that an asset is, decided on and inspected. Raises what `propose` does."""
        return self._vetted(adapter, AssetKind.ADAPTER)

    def approve(self, who: Key, tenant: str | None, release: str) -> Release:
        """Sign it and have engines load it; it goes out by itself once they have.

        Raises NotFound, Denied, and Conflict where it is not proposed, another release of its name
        is under way, its run is over or what that was compared with serves no more, or the engines
        have all the adapters they may.
        """
        return self.approve_as(who.id, tenant, release)

    def approve_as(self, who: str, tenant: str | None, release: str) -> Release:
        """As `approve`, by what is no key: a gate that passed."""
        with self._changes.change(who) as change:
            found = _found(change.state, tenant, release)
            refuse_move(found, ReleaseState.APPROVED)
            _refuse_left(change, found)
            self._rulings.demand_for(found.tenant, Action.SERVE, live_row(change, found.adapter))
            _refuse_beside(change.state, found, change.unix_s)
            base = base_of(change.state, found.deployment)
            if (base.digest or "") != found.base_digest:
                why = f"{found.deployment} serves another model than when it was proposed"
                raise Conflict(f"release {release!r}", f"{why}: propose it anew")
            told = statement(found, who, change.unix_s)
            approved = replace(
                found,
                state=ReleaseState.APPROVED,
                since_unix_s=change.unix_s,
                approved_by=who,
                statement=sha256(told).hexdigest(),
            )
            put(change, "release.approve", approved)
            change.state.put_statement(release, self._signer.sign(told))
        return approved

    def rollback(self, who: Key, tenant: str | None, release: str) -> Release:
        """Take it back: what was live before it answers alone when this returns, or, where there
        was nothing, its name is no model's any more. Raises NotFound, Conflict."""
        with self._changes.change(who.id) as change:
            found = _found(change.state, tenant, release)
            refuse_move(found, ReleaseState.ROLLED_BACK)
            back = roll_back(change, found, f"by {who.id}")
        self._changes.wait_in_force(change.version)
        return back

    # -- what goes on by itself

    def step(self) -> None:
        """Move on what can be moved: a controller of the plant's ticker."""
        self._rests = False
        now_unix_s = self._changes.clock.unix_us() // 1_000_000
        with self._changes.store.read() as transaction:
            releases = transaction.state.releases()
            replicas = transaction.state.replicas() if releases else {}
        moves = [
            *self._of_engines(releases, replicas.values()),
            *self._of_rollouts(releases.values(), now_unix_s),
            *((one, pass_by) for one in past(releases.values(), now_unix_s)),
        ]
        if not moves:
            out = any(one.state is ReleaseState.ROLLING_OUT for one in releases.values())
            self._rests = not out and not lingers(releases.values())
            return
        with self._changes.change(ROLLOUT) as change:
            for before, move in moves:
                if change.state.releases().get(before.id) == before:
                    move(change, before)

    def rests(self) -> bool:
        """As controllers do: none is judged by its traffic, or goes when its time is over."""
        return self._rests

    def _of_engines(
        self, releases: Mapping[str, Release], replicas: Collection[Replica]
    ) -> Iterator[Move]:
        """What the engines that were started for releases came to."""
        wanted = [one for one in releases.values() if one.state in COMING]
        for deployment in sorted({one.deployment for one in wanted}):
            its = [one for one in replicas if one.deployment == deployment]
            ready = [one.adapters for one in its if one.state is ReplicaState.READY]
            failed = [one.adapters for one in its if one.state is ReplicaState.FAILED]
            coming = [one for one in wanted if one.deployment == deployment and not one.waits]
            waiting = [one for one in wanted if one.deployment == deployment and one.waits]
            out = [one for one in coming if ready and all(one.adapter in each for each in ready)]
            wrong = [one for one in coming if any(one.adapter in each for each in failed)]
            yield from ((one, come) for one in out)
            if wrong and not out:
                yield from blamed(wrong)
            if not coming:
                yield from ((one, let_in) for one in waiting)

    def _of_rollouts(self, releases: Iterable[Release], now_unix_s: int) -> Iterator[Move]:
        out = [one for one in releases if one.state is ReleaseState.ROLLING_OUT]
        known = {one.id for one in out}
        self._compared = {id_: each for id_, each in self._compared.items() if id_ in known}
        for one in out:
            candidate, incumbent = self._traffic(one)
            compared = {"candidate": candidate.figures(), "incumbent": incumbent.figures()}
            self._compared[one.id] = compared
            said = verdict(one.pace, candidate, incumbent, now_unix_s - one.since_unix_s)
            self.said = {**self.said, one.id: said.why}
            match said.then:
                case Then.ROLL_BACK:
                    yield one, partial(judged, compared, taken_back, said.why)
                case Then.GO_ON:
                    yield one, partial(judged, compared, gone_on, said.why)
                case Then.WAIT:
                    pass


def _found(state: StateTables, tenant: str | None, release: str) -> Release:
    found = state.release(release)
    if found is None or tenant not in {None, found.tenant}:
        raise NotFound(f"release {release!r}")
    return found


def _refuse_beside(state: StateTables, release: Release, now_unix_s: int) -> None:
    """One of a name at a time, and no more adapters than an engine takes."""
    if (one := under_way(state, release.tenant, release.name)) is not None:
        why = f"release {one.id} of that name is {one.state.value}: let it end, or roll it back"
        raise Conflict(f"release {release.id!r}", why)
    refuse_full(state, release, now_unix_s)


def _refuse_left(change: Change, release: Release) -> None:
    """What a run made is approved while the run waits for it, and what it was compared with
    serves."""
    if not release.run:
        return
    run = change.lines.run(release.run)
    if run is None or run.state is not RunState.RUNNING:
        raise Conflict(f"release {release.id!r}", f"its run {release.run} is over")
    live = live_of(change.state, release.tenant, release.name)
    if not run.materials.is_compared_with(None if live is None else live.id):
        why = f"{release.name} is another model by now; begin the run anew"
        raise Conflict(f"release {release.id!r}", why)

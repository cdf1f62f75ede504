"""Releases: proposed, approved, rolled out, and taken back in one step.

A release answers once every engine of its deployment that is ready has its adapter. What was live
before stays in the engines' lists, so that a rollback starts nothing. At most one release of a name
is under way.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any

from inland.decide.lines.rollout import Seen, Then, loaded, past, verdict
from inland.domain.assets import Action, AssetKind, AssetState
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import UUID7_RANDOM_BYTES, is_name, uuid7
from inland.domain.plant import EngineKind, Key, Model, Replica, ReplicaState
from inland.domain.releases import (
    NO_EVIDENCE,
    RELEASE_LIFE,
    UNDER_WAY,
    USUAL_PACE,
    Evidence,
    Pace,
    Release,
    ReleaseState,
)
from inland.plant.asset_rulings import AssetRulings, unknown
from inland.plant.changes import Change, Changes
from inland.plant.models import put_model
from inland.plant.provenance import statement
from inland.ports.assets import AssetRow
from inland.ports.signing import Signer
from inland.ports.state import StateTables

#: Who moves a release on by itself.
ROLLOUT = "rollout"
#: Adapters that one engine is started with, at most; and texts and numbers of evidence.
MOST_ADAPTERS, MOST_EVIDENCE, EVIDENCE_CHARS = 200, 256, 1024
MAX_SOAK_S, MAX_SAMPLES, MAX_POINTS = 30 * 86_400, 1_000_000, 1_000

#: What a release that is rolled out, and the one that is live, came to since its last step.
Traffic = Callable[[Release], tuple[Seen, Seen]]
#: A release as it was seen, and what is done with it if it still is so.
Move = tuple[Release, Callable[[Change, Release], object]]


@dataclass(frozen=True, slots=True)
class Order:
    """A release asked for: `name` in its tenant's `/v1`, of an `adapter` over a deployment."""

    name: str
    deployment: str
    adapter: str
    evidence: Evidence = NO_EVIDENCE
    pace: Pace = USUAL_PACE


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

    def all(self, tenant: str | None = None) -> list[Release]:
        """Every release, or those of one tenant, the newest first."""
        with self._changes.store.read() as transaction:
            found = transaction.state.releases(past=True).values()
        mine = [one for one in found if tenant in {None, one.tenant}]
        return sorted(mine, key=lambda one: one.id, reverse=True)

    def show(self, tenant: str | None, release: str) -> Release:
        """Raises NotFound."""
        with self._changes.store.read() as transaction:
            return _found(transaction.state, tenant, release)

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
        _check(order)
        adapter = self._vetted(order.adapter, AssetKind.ADAPTER)
        unix_us = self._changes.clock.unix_us()
        with self._changes.change(who.id) as change:
            row = _live(change, adapter.id)
            if adapter.id not in change.state.models():
                put_model(change, adapter, asset=adapter.id)
            _refuse_taken(change.state, order.name)
            base = _base(change.state, order.deployment)
            release = Release(
                id=uuid7(unix_us // 1000, self._changes.entropy(UUID7_RANDOM_BYTES)),
                tenant=row.tenant,
                name=order.name,
                deployment=order.deployment,
                base_digest=base.digest or "",
                adapter=adapter.id,
                digest=str(adapter.digest),
                state=ReleaseState.PROPOSED,
                proposed_by=who.id,
                created_unix_s=change.unix_s,
                since_unix_s=change.unix_s,
                pace=order.pace,
                evidence=order.evidence,
            )
            change.state.put_release(release)
            change.book("release.propose", release.id, **_facts(release))
        return release

    def approve(self, who: Key, tenant: str | None, release: str) -> Release:
        """Sign it and have engines load it; it goes out by itself once they have.

        Raises NotFound, Denied, and Conflict where it is not proposed, another release of its name
        is under way, or the engines have all the adapters they may.
        """
        with self._changes.change(who.id) as change:
            found = _found(change.state, tenant, release)
            _refuse_move(found, ReleaseState.APPROVED)
            self._rulings.demand_for(found.tenant, Action.SERVE, _live(change, found.adapter))
            _refuse_beside(change.state, found, change.unix_s)
            base = _base(change.state, found.deployment)
            if (base.digest or "") != found.base_digest:
                why = f"{found.deployment} serves another model than when it was proposed"
                raise Conflict(f"release {release!r}", f"{why}: propose it anew")
            told = statement(found, who.id, change.unix_s)
            approved = replace(
                found,
                state=ReleaseState.APPROVED,
                since_unix_s=change.unix_s,
                approved_by=who.id,
                statement=sha256(told).hexdigest(),
            )
            change.state.put_release(approved)
            change.state.put_statement(release, self._signer.sign(told))
            change.book("release.approve", release, **_facts(approved))
        return approved

    def rollback(self, who: Key, tenant: str | None, release: str) -> Release:
        """Take it back: what was live before it answers alone when this returns, or, where there
        was nothing, its name is no model's any more. Raises NotFound, Conflict."""
        with self._changes.change(who.id) as change:
            found = _found(change.state, tenant, release)
            _refuse_move(found, ReleaseState.ROLLED_BACK)
            back = roll_back(change, found, f"by {who.id}")
        self._changes.wait_in_force(change.version)
        return back

    # -- what goes on by itself

    def step(self) -> None:
        """Move on what can be moved: a controller of the plant's ticker."""
        now_unix_s = self._changes.clock.unix_us() // 1_000_000
        with self._changes.store.read() as transaction:
            releases = transaction.state.releases()
            replicas = transaction.state.replicas() if releases else {}
        moves = [
            *self._of_engines(releases, replicas.values()),
            *self._of_rollouts(releases.values(), now_unix_s),
            *((one, _pass) for one in past(releases.values(), now_unix_s)),
        ]
        if not moves:
            return
        with self._changes.change(ROLLOUT) as change:
            for before, move in moves:
                if change.state.releases().get(before.id) == before:
                    move(change, before)

    def _of_engines(
        self, releases: Mapping[str, Release], replicas: Collection[Replica]
    ) -> Iterator[Move]:
        """What the engines that were started for approved releases came to."""
        approved = [one for one in releases.values() if one.state is ReleaseState.APPROVED]
        for deployment in sorted({one.deployment for one in approved}):
            its = [one for one in replicas if one.deployment == deployment]
            ready = [one.adapters for one in its if one.state is ReplicaState.READY]
            failed = [one.adapters for one in its if one.state is ReplicaState.FAILED]
            coming = [one for one in approved if one.deployment == deployment and not one.waits]
            waiting = [one for one in approved if one.deployment == deployment and one.waits]
            out = [one for one in coming if ready and all(one.adapter in each for each in ready)]
            wrong = [one for one in coming if any(one.adapter in each for each in failed)]
            yield from ((one, go_out) for one in out)
            if wrong and not out:
                yield from _blamed(wrong)
            if not coming:
                yield from ((one, _let_in) for one in waiting)

    def _of_rollouts(self, releases: Iterable[Release], now_unix_s: int) -> Iterator[Move]:
        for one in releases:
            if one.state is not ReleaseState.ROLLING_OUT:
                continue
            candidate, incumbent = self._traffic(one)
            said = verdict(one.pace, candidate, incumbent, now_unix_s - one.since_unix_s)
            match said.then:
                case Then.ROLL_BACK:
                    yield one, partial(_taken_back, said.why)
                case Then.GO_ON:
                    yield one, partial(_gone_on, said.why)
                case Then.WAIT:
                    pass


def roll_back(change: Change, release: Release, why: str) -> Release:
    """It answers nobody any more; what was live before it does. One that never answered is in no
    engine's list from now on."""
    back = replace(
        release,
        state=ReleaseState.ROLLED_BACK,
        since_unix_s=change.unix_s,
        why=why,
        past=release.state is ReleaseState.APPROVED,
    )
    _put(change, "release.rollback", back)
    known = change.state.releases()
    before = known.get(release.before or "")
    if release.state is not ReleaseState.LIVE or before is None:
        return back
    if before.state is ReleaseState.RETIRED and before.adapter in change.state.models():
        live = replace(before, state=ReleaseState.LIVE, since_unix_s=change.unix_s, why="")
        _put(change, "release.live", live)
    return back


def go_out(change: Change, release: Release) -> None:
    """Engines have it: the first users are answered by it, or all, where nothing of its name is
    live that they could go back to."""
    incumbent = _incumbent(change.state, release)
    if incumbent is None or not release.pace.percents:
        _go_live(change, release)
        return
    out = replace(
        release,
        state=ReleaseState.ROLLING_OUT,
        since_unix_s=change.unix_s,
        before=incumbent.id,
        waits=False,
    )
    _put(change, "release.rollout", out)


def retire(
    change: Change, why: str, *, adapter: str | None = None, deployment: str | None = None
) -> None:
    """Releases of an adapter or on a deployment that goes answer nobody any more."""
    for one in change.state.releases().values():
        concerned = one.adapter == adapter or one.deployment == deployment
        if concerned and ReleaseState.RETIRED in RELEASE_LIFE[one.state]:
            gone = replace(
                one, state=ReleaseState.RETIRED, since_unix_s=change.unix_s, why=why, past=True
            )
            _put(change, "release.retire", gone)
        elif concerned and not one.past:
            change.state.put_release(replace(one, past=True, why=why))


def _go_live(change: Change, release: Release, why: str = "") -> None:
    incumbent = _incumbent(change.state, release)
    if incumbent is not None:
        told = f"release {release.id} took its place"
        old = replace(incumbent, state=ReleaseState.RETIRED, since_unix_s=change.unix_s, why=told)
        _put(change, "release.retire", old)
    live = replace(
        release,
        state=ReleaseState.LIVE,
        since_unix_s=change.unix_s,
        before=None if incumbent is None else incumbent.id,
        waits=False,
    )
    _put(change, "release.live", live, judged=why)


def _gone_on(why: str, change: Change, release: Release) -> None:
    if release.step + 1 == len(release.pace.percents):
        _go_live(change, release, why)
        return
    more = replace(release, step=release.step + 1, since_unix_s=change.unix_s)
    _put(change, "release.rollout", more, judged=why)


def _taken_back(why: str, change: Change, release: Release) -> None:
    roll_back(change, release, why)


def _pass(change: Change, release: Release) -> None:
    change.state.put_release(replace(release, past=True))


def _wait(change: Change, release: Release) -> None:
    change.state.put_release(replace(release, waits=True))


def _let_in(change: Change, release: Release) -> None:
    change.state.put_release(replace(release, waits=False))


def _blamed(wrong: list[Release]) -> Iterator[Move]:
    """An engine with these did not start: of several the later half is left out of the next one,
    until the one is found that cannot be loaded."""
    if len(wrong) == 1:
        yield wrong[0], partial(_taken_back, "no engine starts with it (see its log)")
    else:
        yield from (
            (one, _wait) for one in sorted(wrong, key=lambda one: one.id)[len(wrong) // 2 :]
        )


def _incumbent(state: StateTables, release: Release) -> Release | None:
    """What is live under its name."""
    for one in state.releases().values():
        same = (one.tenant, one.name) == (release.tenant, release.name)
        if same and one.state is ReleaseState.LIVE and one.id != release.id:
            return one
    return None


def _put(change: Change, what: str, release: Release, **more: Any) -> None:
    change.state.put_release(release)
    change.book(what, release.id, **_facts(release), **more)


def _facts(release: Release) -> dict[str, Any]:
    """As records say it."""
    return {
        "tenant": release.tenant,
        "name": release.name,
        "deployment": release.deployment,
        "adapter": release.adapter,
        "adapter_digest": release.digest,
        "base_digest": release.base_digest,
        "state": release.state.value,
        "percent": release.percent,
        "before": release.before,
        "statement": release.statement,
        "why": release.why,
    }


def _found(state: StateTables, tenant: str | None, release: str) -> Release:
    found = state.releases(past=True).get(release)
    if found is None or tenant not in {None, found.tenant}:
        raise NotFound(f"release {release!r}")
    return found


def _live(change: Change, adapter: str) -> AssetRow:
    row = change.assets.asset(adapter)
    if row is None or row.state is not AssetState.LIVE:
        raise unknown(adapter)
    return row


def _base(state: StateTables, deployment: str) -> Model:
    """The model that a deployment serves. Raises NotFound, BadInput."""
    found = state.deployments().get(deployment)
    model = None if found is None else state.models().get(found.model)
    if found is None or model is None:
        raise NotFound(f"deployment {deployment!r}")
    if found.engine is not EngineKind.LLAMA_CPP:
        raise BadInput("deployment", f"{deployment} is no llama.cpp, which alone takes adapters")
    return model


def _refuse_taken(state: StateTables, name: str) -> None:
    if name in state.deployments():
        raise Conflict(f"model name {name!r}", "a deployment has it: choose another")


def _refuse_move(release: Release, then: ReleaseState) -> None:
    if then not in RELEASE_LIFE[release.state]:
        why = f"it is {release.state.value}, and cannot be {then.value}"
        raise Conflict(f"release {release.id!r}", why)


def _refuse_beside(state: StateTables, release: Release, now_unix_s: int) -> None:
    """One of a name at a time, and no more adapters than an engine takes."""
    known = state.releases().values()
    for one in known:
        same = (one.tenant, one.name) == (release.tenant, release.name)
        if same and one.state in UNDER_WAY:
            why = f"release {one.id} of that name is {one.state.value}: let it end, or roll it back"
            raise Conflict(f"release {release.id!r}", why)
    there = loaded(known, now_unix_s).get(release.deployment, ())
    if release.adapter not in there and len(there) >= MOST_ADAPTERS:
        why = f"its engines have {len(there)} adapters, at most {MOST_ADAPTERS}"
        raise Conflict(f"deployment {release.deployment!r}", why)


def _check(order: Order) -> None:
    if not is_name(order.name):
        raise BadInput("name", f"{order.name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")
    pace, evidence = order.pace, order.evidence
    if list(pace.percents) != sorted({one for one in pace.percents if 0 < one < 100}):
        raise BadInput("percents", "numbers between 1 and 99, each larger than the one before")
    for field, value, most in (
        ("soak_s", pace.soak_s, MAX_SOAK_S),
        ("samples", pace.samples, MAX_SAMPLES),
        ("error_points", pace.error_points, 100),
        ("ttft_percent", pace.ttft_percent, MAX_POINTS),
        ("score_points", pace.score_points, 100),
    ):
        if not 0 <= value <= most:
            raise BadInput(field, f"{value} is not between 0 and {most}")
    texts = [evidence.run, evidence.code, evidence.gate, *evidence.data]
    for pairs in (evidence.parameters, evidence.scores):
        texts += [*pairs, *pairs.values()]
        if not all(key.isascii() for key in pairs):
            raise BadInput("evidence", "names are ASCII")
    if len(texts) > MOST_EVIDENCE or any(len(text) > EVIDENCE_CHARS for text in texts):
        raise BadInput("evidence", f"at most {MOST_EVIDENCE} texts of {EVIDENCE_CHARS} characters")

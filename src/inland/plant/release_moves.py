"""The moves of a release's life, each inside one change, each on the books."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from inland.domain.errors import Conflict
from inland.domain.releases import (
    RELEASE_LIFE,
    UNAPPROVED,
    UNDER_WAY,
    Release,
    ReleaseState,
)
from inland.plant.changes import Change
from inland.ports.state import StateTables

#: A release as it was seen, and what is done with it if it still is so.
Move = tuple[Release, Callable[[Change, Release], object]]


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
    put(change, "release.rollback", back)
    known = change.state.releases()
    before = known.get(release.before or "")
    if release.state is not ReleaseState.LIVE or before is None:
        return back
    if before.state is ReleaseState.RETIRED and before.adapter in change.state.models():
        live = replace(before, state=ReleaseState.LIVE, since_unix_s=change.unix_s, why="")
        put(change, "release.live", live)
    return back


def go_out(change: Change, release: Release) -> None:
    """Engines have it: the first users are answered by it, or all, where nothing of its name is
    live that they could go back to."""
    incumbent = _incumbent(change.state, release)
    if incumbent is None or not release.pace.shares:
        _go_live(change, release)
        return
    out = replace(
        release,
        state=ReleaseState.ROLLING_OUT,
        since_unix_s=change.unix_s,
        before=incumbent.id,
        waits=False,
        out_unix_s=change.unix_s,
        compared={},
    )
    put(change, "release.rollout", out)


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
            put(change, "release.retire", gone)
        elif concerned and not one.past:
            change.state.put_release(replace(one, past=True, why=why))


def _go_live(change: Change, release: Release, why: str = "") -> None:
    incumbent = _incumbent(change.state, release)
    if incumbent is not None:
        told = f"release {release.id} took its place"
        old = replace(incumbent, state=ReleaseState.RETIRED, since_unix_s=change.unix_s, why=told)
        put(change, "release.retire", old)
    live = replace(
        release,
        state=ReleaseState.LIVE,
        since_unix_s=change.unix_s,
        before=None if incumbent is None else incumbent.id,
        waits=False,
    )
    put(change, "release.live", live, judged=why)


def judged(
    compared: dict[str, dict[str, int]],
    move: Callable[[str, Change, Release], None],
    why: str,
    change: Change,
    release: Release,
) -> None:
    """Move it, with what it was judged by."""
    move(why, change, replace(release, compared=compared))


def gone_on(why: str, change: Change, release: Release) -> None:
    if release.step + 1 == len(release.pace.shares):
        _go_live(change, release, why)
        return
    more = replace(release, step=release.step + 1, since_unix_s=change.unix_s)
    put(change, "release.rollout", more, judged=why)


def come(change: Change, release: Release) -> None:
    """Every engine has it."""
    if release.state is ReleaseState.CANDIDATE:
        tried = replace(
            release, state=ReleaseState.ON_TRIAL, since_unix_s=change.unix_s, waits=False
        )
        put(change, "release.try", tried)
    else:
        go_out(change, release)


def taken_back(why: str, change: Change, release: Release) -> None:
    if release.state in UNAPPROVED:
        give_up(change, release, why)
    else:
        roll_back(change, release, why)


def give_up(change: Change, release: Release, why: str) -> None:
    """One that nobody approved goes, and out of the engines' lists."""
    gone = replace(
        release, state=ReleaseState.RETIRED, since_unix_s=change.unix_s, why=why, past=True
    )
    put(change, "release.retire", gone)


def pass_by(change: Change, release: Release) -> None:
    change.state.put_release(replace(release, past=True))


def _wait(change: Change, release: Release) -> None:
    change.state.put_release(replace(release, waits=True))


def let_in(change: Change, release: Release) -> None:
    change.state.put_release(replace(release, waits=False))


def blamed(wrong: list[Release]) -> Iterator[Move]:
    """An engine with these did not start: of several the later half is left out of the next one,
    until the one is found that cannot be loaded."""
    if len(wrong) == 1:
        yield wrong[0], partial(taken_back, "no engine starts with it (see its log)")
    else:
        yield from (
            (one, _wait) for one in sorted(wrong, key=lambda one: one.id)[len(wrong) // 2 :]
        )


def _incumbent(state: StateTables, release: Release) -> Release | None:
    """What is live under its name."""
    found = live_of(state, release.tenant, release.name)
    return None if found is None or found.id == release.id else found


def live_of(state: StateTables, tenant: str, name: str) -> Release | None:
    """What is live under a tenant's name."""
    for one in state.releases().values():
        if (one.tenant, one.name, one.state) == (tenant, name, ReleaseState.LIVE):
            return one
    return None


def under_way(state: StateTables, tenant: str, name: str) -> Release | None:
    """What is on its way under a tenant's name: one at a time."""
    for one in state.releases().values():
        if (one.tenant, one.name) == (tenant, name) and one.state in UNDER_WAY:
            return one
    return None


def put(change: Change, what: str, release: Release, **more: Any) -> None:
    """Write a release as it is now, and book what became of it."""
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
        **({"compared": release.compared} if release.compared else {}),
    }


def refuse_move(release: Release, then: ReleaseState) -> None:
    """Raises Conflict for a move that a release's life does not have."""
    if then not in RELEASE_LIFE[release.state]:
        why = f"it is {release.state.value}, and cannot be {then.value}"
        raise Conflict(f"release {release.id!r}", why)

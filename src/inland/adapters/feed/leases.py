"""Which gateways may still act, and on which version: control's side of the leases. Pure.

A gateway is one life of its process, known by its writer. It may act until `LEASE_S` after
control's last answer to it; a control that starts assumes one such lease everywhere it cannot see.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from inland.adapters.feed.frames import LEASE_S, Ask

#: A gateway that has known of a version for this long and does not run it gets no more lease.
MAX_APPLYING_S = 2.0

#: Whoever has not asked for this long is forgotten; longer than any lease.
FORGET_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A gateway that asked. On control's monotonic clock, in seconds: when it `asked` last, `until`
    when its lease runs, and since when it was known to run another version than the newest.
    `ours`: what it runs was published by this control; `refused`: why it gets no lease."""

    gateway: str
    pid: int
    writer: str
    running: int
    asked: float
    until: float
    behind_since: float | None = None
    metrics: dict[str, Any] | None = None
    ours: bool = True
    inland: str = ""
    refused: str = ""
    found: dict[str, Any] | None = None  # its metrics when it was first heard of
    counted: int = 0  # the version it ran when it told `metrics`


@dataclass(frozen=True, slots=True)
class Leases:
    """Every lease that may be running. `phantom_until`: when the ones before our start are over."""

    phantom_until: float
    holders: dict[str, Holder]

    def answer(
        self, ask: Ask, current: int, now: float, *, ours: bool | None = True, refused: str = ""
    ) -> tuple["Leases", float]:
        """After answering `ask` at `now`, and the lease that the answer holds, in seconds.

        Whoever runs nothing yet gets none, for it could not act; nor does whoever has not come to
        run `current` in `MAX_APPLYING_S`, or is `refused`. A lease it had runs on. `ours`: what it
        runs was published by this control; None while that published nothing.
        """
        before = self.holders.get(ask.writer)
        behind_since = None
        if ask.running != current or ours is False:
            was_behind = before is not None and (before.running, before.ours) == (
                ask.running,
                bool(ours),
            )
            earlier = before.behind_since if before is not None and was_behind else None
            behind_since = now if earlier is None else earlier
        in_time = behind_since is None or now - behind_since <= MAX_APPLYING_S
        granted = ask.running > 0 and in_time and not refused
        lease_s = LEASE_S if granted else 0.0
        until = now + LEASE_S if granted else (before.until if before is not None else now)
        metrics = before.metrics if ask.metrics is None and before is not None else ask.metrics
        counted = before.counted if ask.metrics is None and before is not None else ask.running
        holder = Holder(
            gateway=ask.gateway,
            pid=ask.pid,
            writer=ask.writer,
            running=ask.running,
            asked=now,
            until=until,
            behind_since=behind_since,
            metrics=metrics,
            ours=bool(ours),
            inland=ask.inland,
            refused=refused,
            found=metrics if before is None or before.found is None else before.found,
            counted=counted,
        )
        heard = {w: h for w, h in self.holders.items() if now - h.asked < FORGET_AFTER_S}
        return replace(self, holders=heard | {ask.writer: holder}), lease_s

    def in_force(
        self, version: int, current: int, now: float, pids: AbstractSet[int] | None
    ) -> bool:
        """Whether nobody can act on anything older than `version` at `now`.

        `pids`: the gateways' processes, None where nobody can say. A version above `current` was
        never ours (a database put back) and counts as old, and so does another's content.
        """
        live = [holder for holder in self.holders.values() if holder.until > now]
        if any(not (holder.ours and version <= holder.running <= current) for holder in live):
            return False
        if now >= self.phantom_until:
            return True
        return pids is not None and pids <= {holder.pid for holder in live}

    def works_on(
        self, replica: str, version: int, now: float, pids: AbstractSet[int] | None
    ) -> bool:
        """Whether a gateway may be at work on a replica that gets nothing new since `version`: by
        what it told since it runs that.

        One without a lease takes nothing new and still ends what it has: `pids` tells which live.
        """
        if pids is None:
            return True
        heard = [one for one in self.holders.values() if one.until > now or one.pid in pids]
        if not pids <= {one.pid for one in heard}:
            return True
        return any(one.counted < version or _is_at(one.metrics, replica) for one in heard)


def _is_at(metrics: dict[str, Any] | None, replica: str) -> bool:
    told = (metrics or {}).get("gauges", {}).get("replica_requests", {}).get("series", [])
    return any(labels == [replica] and count for labels, count in told)


def fresh_leases(now: float) -> Leases:
    """What a control that starts at `now` must assume."""
    return Leases(now + LEASE_S, {})

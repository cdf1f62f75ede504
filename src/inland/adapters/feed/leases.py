"""Which gateways may still act, and on which version: control's side of the leases. Pure.

A gateway is one life of its process, known by its writer. It may act until `LEASE_S` after
control's last answer to it; a control that starts assumes one such lease everywhere it cannot see.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from inland.adapters.feed.frames import LEASE_S, Ask


@dataclass(frozen=True, slots=True)
class Holder:
    """A gateway that asked. `until`: when its lease ends, on control's monotonic clock, seconds."""

    gateway: str
    pid: int
    writer: str
    running: int
    until: float
    metrics: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Leases:
    """Every lease that may be running. `phantom_until`: when the ones before our start are over."""

    phantom_until: float
    holders: dict[str, Holder]

    def answered(self, ask: Ask, now: float, lease_s: float = LEASE_S) -> "Leases":
        """After answering `ask` at `now`; an answer without a lease leaves the one before it."""
        metrics = ask.metrics
        before = self.holders.get(ask.writer)
        if metrics is None and before is not None:
            metrics = before.metrics
        until = max(now + lease_s, before.until if before is not None else now)
        holder = Holder(ask.gateway, ask.pid, ask.writer, ask.running, until, metrics)
        live = {w: h for w, h in self.holders.items() if h.until > now}
        return replace(self, holders=live | {ask.writer: holder})

    def in_force(
        self, version: int, current: int, now: float, pids: AbstractSet[int] | None
    ) -> bool:
        """Whether nobody can act on anything older than `version` at `now`.

        `pids`: the gateways' processes, None where nobody can say. A version above `current` was
        never ours (a database put back) and counts as old.
        """
        live = [holder for holder in self.holders.values() if holder.until > now]
        if any(not version <= holder.running <= current for holder in live):
            return False
        if now >= self.phantom_until:
            return True
        return pids is not None and pids <= {holder.pid for holder in live}


def fresh_leases(now: float) -> Leases:
    """What a control that starts at `now` must assume."""
    return Leases(now + LEASE_S, {})

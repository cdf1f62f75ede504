"""Replicas that are not wanted any more end what they have: told from what gateways say they do.

Bounded: after `limit_s` a replica goes though it is at work. The limit is kept in memory, so a
control that starts again begins it anew.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from inland.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class _Drain:
    """`version`: the first snapshot known to say so. `until`: monotonic, in seconds."""

    version: int
    until: float


class Draining:
    """`works_on`: whether any gateway may be at work on a replica that drains since a version."""

    def __init__(self, works_on: Callable[[str, int], bool], clock: Clock, limit_s: float) -> None:
        self._works_on = works_on
        self._clock = clock
        self._limit_s = limit_s
        self._drains: dict[str, _Drain] = {}

    def begin(self, replica: str, version: int) -> None:
        """The snapshot `version` says that it drains; said again, it changes nothing."""
        until = self._clock.monotonic() + self._limit_s
        self._drains.setdefault(replica, _Drain(version, until))

    def is_over(self, replica: str) -> bool:
        """Whether it may go: nothing runs there, or its time is up."""
        drain = self._drains.get(replica)
        if drain is None:
            return False
        late = self._clock.monotonic() >= drain.until
        return late or not self._works_on(replica, drain.version)

    def forget_others(self, replicas: Collection[str]) -> None:
        """Only `replicas` drain now."""
        self._drains = {name: at for name, at in self._drains.items() if name in replicas}

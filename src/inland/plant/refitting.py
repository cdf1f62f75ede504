"""Refitting: live traffic corrects what was measured, slowly, and on the books when it does."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from inland.decide.refitting import Cell, Traffic, observed, refitted, since, window
from inland.domain.capacity import Profile
from inland.plant.changes import Changes
from inland.plant.profiles import put_profile
from inland.plant.snapshots import profiles_in_force

#: How long a window lasts, and how often at most a deployment's model is changed, in seconds.
WINDOW_S, REFIT_S = 10.0, 600.0
#: Who changes a model.
REFITTING = "refitting"


class Told(Protocol):
    """What one life of a gateway counted, as it said last."""

    @property
    def writer(self) -> str: ...
    @property
    def metrics(self) -> dict[str, Any] | None: ...


@dataclass(slots=True)
class _Watched:
    """One measured deployment: windows of its traffic, as long as the profile's points stand."""

    measured_unix_s: int
    not_before: float
    cells: dict[int, Cell] = field(default_factory=dict)


#: By gateway's life, by deployment.
_Counted = dict[str, dict[str, Traffic]]


class Refitting:
    """A controller: looks at what gateways counted, a window at a time."""

    def __init__(self, changes: Changes, heard: Callable[[], Iterable[Told]]) -> None:
        self._changes = changes
        self._heard = heard
        self._counted: _Counted | None = None
        self._at = -math.inf
        self._watched: dict[str, _Watched] = {}

    def step(self) -> None:
        """One window more, if it is time."""
        now = self._changes.clock.monotonic()
        lasted_s = now - self._at
        if lasted_s < WINDOW_S:
            return
        told = {one.writer: one.metrics for one in self._heard() if one.metrics is not None}
        counted = {writer: traffic(metrics) for writer, metrics in told.items()}
        before, self._counted, self._at = self._counted, counted, now
        if before is None or lasted_s > 2 * WINDOW_S:  # whatever held this up held more up
            return
        with self._changes.store.read() as transaction:
            profiles = profiles_in_force(transaction.state)
            deployments = transaction.state.deployments()
        self._watched = {name: self._watch(profile, now) for name, profile in profiles.items()}
        for name, profile in profiles.items():
            parts = _between(before, counted, name)
            seen = window(parts, lasted_s, deployments[name].replicas)
            watched = self._watched[name]
            if seen is not None:
                watched.cells = observed(watched.cells, seen, now)
            if now >= watched.not_before:
                self._refit(profile, watched, now, deployments[name].slots)

    def _watch(self, profile: Profile, now: float) -> _Watched:
        known = self._watched.get(profile.deployment)
        if known is not None and known.measured_unix_s == profile.measured_unix_s:
            return known
        return _Watched(profile.measured_unix_s, now + REFIT_S)

    def _refit(self, profile: Profile, watched: _Watched, now: float, slots: int) -> None:
        watched.not_before = now + REFIT_S
        unix_s = self._changes.clock.unix_us() // 1_000_000
        found = refitted(profile, watched.cells, now, slots)
        if found is not None:
            with self._changes.change(REFITTING) as change:
                # What was measured or changed meanwhile is not corrected by what came before it.
                if profiles_in_force(change.state).get(profile.deployment) == profile:
                    put_profile(change, replace(found, refitted_unix_s=unix_s))


def _between(before: _Counted, after: _Counted, name: str) -> list[Traffic]:
    """What each life that was there before has counted since."""
    nothing = Traffic()
    return [
        since(before[writer].get(name, nothing), traffics[name])
        for writer, traffics in after.items()
        if writer in before and name in traffics
    ]


def traffic(metrics: Mapping[str, Any]) -> dict[str, Traffic]:
    """By deployment, of one gateway's metrics."""
    counters = metrics.get("counters", {})
    found = {
        name: Traffic(float(gaps), float(gap_s), float(beside))
        for name, (gaps, gap_s, beside) in metrics.get("steps", {}).items()
    }
    for part in ("prompt_tokens", "cached_tokens", "completion_tokens"):
        for (name,), amount in counters.get(part, {"series": []})["series"]:
            if name in found:
                found[name] = replace(found[name], **{part: float(amount)})
    for (_, name, *_), amount in counters.get("requests", {"series": []})["series"]:
        if name in found:
            found[name] = replace(found[name], requests=found[name].requests + float(amount))
    return found

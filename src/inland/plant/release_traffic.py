"""What gateways counted of releases, since a rollout's last step: two windows side by side."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inland.decide.lines.rollout import Seen
from inland.domain.releases import Release
from inland.domain.thumbs import Thumb
from inland.ledger.records import COMPLETE, FAILED
from inland.plant.refitting import Told

#: Of first tokens those that `Seen.late_ms` is about.
LATE = 0.95


@dataclass(slots=True)
class Counted:
    """Of one release: answers by how they ended, first tokens by the bound they came within, in
    ms."""

    ended: Counter[str] = field(default_factory=Counter)
    within: Counter[int] = field(default_factory=Counter)

    def __sub__(self, before: "Counted") -> "Counted":
        """What came since."""
        return Counted(self.ended - before.ended, self.within - before.within)

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(self.ended + other.ended, self.within + other.within)

    def seen(self) -> Seen:
        """As a rollout is judged by it."""
        failed = self.ended[FAILED]
        return Seen(failed + self.ended[COMPLETE], failed, self._late_ms())

    def _late_ms(self) -> int:
        total, so_far = sum(self.within.values()), 0
        for bound, count in sorted(self.within.items()):
            so_far += count
            if so_far >= LATE * total:
                return bound
        return 0


#: By gateway's life, by release.
_All = dict[str, dict[str, Counted]]


class ReleaseTraffic:
    """Windows of releases that are being rolled out; one thread asks. A control that starts begins
    them anew."""

    def __init__(
        self, heard: Callable[[], Iterable[Told]], thumbs: Callable[[str, int], Thumb]
    ) -> None:
        """`thumbs`: what was said of a release's answers since a time in Unix seconds."""
        self._heard = heard
        self._thumbs = thumbs
        self._begun: dict[str, tuple[int, _All]] = {}

    def of(self, release: Release) -> tuple[Seen, Seen]:
        """What it and the release that was live when it went out came to since its last step, and
        what people said of both since it went out: that takes longer."""
        now = {one.writer: counted(one.metrics) for one in self._heard() if one.metrics}
        since, before = self._begun.get(release.id, (-1, {}))
        if since != release.since_unix_s:
            self._begun[release.id] = (release.since_unix_s, now)
            before = now
        mine, others = (
            replace(_summed(now, before, one).seen(), thumb=self._thumbs(one, release.out_unix_s))
            for one in (release.id, release.before or "")
        )
        return mine, others


def _summed(now: _All, before: _All, release: str) -> Counted:
    """Of every life of a gateway: one that began since has counted nothing before."""
    total = Counted()
    for writer, releases in now.items():
        if release in releases:
            earlier = before.get(writer, {}).get(release, Counted())
            total += releases[release] - earlier
    return total


def counted(metrics: Mapping[str, Any]) -> dict[str, Counted]:
    """By release, of one gateway's metrics."""
    found: dict[str, Counted] = {}
    answers = metrics.get("counters", {}).get("release_answers", {"series": []})
    for (release, outcome), amount in answers["series"]:
        found.setdefault(release, Counted()).ended[outcome] += int(amount)
    ttft = metrics.get("histograms", {}).get("release_ttft_seconds", {"series": []})
    for (release,), buckets, _ in ttft["series"]:
        bounds = [int(bound * 1000) for bound in ttft["bounds_s"]]
        beyond = 2 * bounds[-1] if bounds else 0
        within = found.setdefault(release, Counted()).within
        for bound, amount in zip([*bounds, beyond], buckets, strict=False):
            if amount:
                within[bound] += int(amount)
    return found

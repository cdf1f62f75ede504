"""Counters and histograms of one gateway, cheap to raise, handed on as a plain dictionary.

Labels are bounded: deployments of the snapshot, status codes, outcomes. Control merges and shows.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

TTFT_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
INTER_TOKEN_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
WAIT_BOUNDS_S = (0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
DURATION_BOUNDS_S = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 600.0)
#: Finer, for releases that are compared: each a fifth above the one before.
RELEASE_TTFT_BOUNDS_S = tuple(round(0.005 * 1.2**step, 6) for step in range(50))
#: Series of one metric; what comes beyond is counted under the last label `other`.
SERIES = 4096

Labels = tuple[str, ...]


class Counter:
    """Sums per label values."""

    def __init__(self, *labels: str) -> None:
        self.labels = labels
        self._sums: dict[Labels, int] = {}

    def add(self, values: Labels, amount: int = 1) -> None:
        try:
            self._sums[values] += amount
        except KeyError:
            self._first(values, amount)

    def _first(self, values: Labels, amount: int) -> None:
        if len(self._sums) >= SERIES:
            values = ("other",) * len(values)
        self._sums[values] = self._sums.get(values, 0) + amount

    def export(self) -> dict[str, Any]:
        """`{"labels": [...], "series": [[values, sum], ...]}`."""
        series = [[list(values), amount] for values, amount in self._sums.items()]
        return {"labels": list(self.labels), "series": series}


class Series:
    """One histogram's observations under one set of labels. Keep it where it is used often."""

    __slots__ = ("_bounds", "buckets", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self._bounds = bounds_s
        self.buckets = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        self.buckets[bisect_left(self._bounds, seconds)] += times
        self.sum_s += seconds * times


class Histogram:
    """Observations in seconds, per label values, in fixed buckets (the last one has no bound)."""

    def __init__(self, bounds_s: tuple[float, ...], *labels: str) -> None:
        self.labels = labels
        self._bounds = bounds_s
        self._series: dict[Labels, Series] = {}

    def series(self, values: Labels) -> Series:
        """Where observations under `values` go."""
        if values not in self._series and len(self._series) >= SERIES:
            values = ("other",) * len(values)
        return self._series.setdefault(values, Series(self._bounds))

    def export(self) -> dict[str, Any]:
        """`{"labels", "bounds_s", "series": [[values, counts per bucket, sum in s], ...]}`."""
        series = [[list(v), list(s.buckets), s.sum_s] for v, s in self._series.items()]
        return {"labels": list(self.labels), "bounds_s": list(self._bounds), "series": series}


class Steps:
    """What live traffic says of an engine's steps, for control to refit its model by: the times
    between tokens that no caller held up, and how many requests ran at each, both added up."""

    __slots__ = ("beside", "gap_s", "gaps")

    def __init__(self) -> None:
        self.gaps = 0
        self.gap_s = 0.0
        self.beside = 0

    def add(self, seconds: float, times: int, beside: int) -> None:
        """`times` tokens came, so many seconds apart, while `beside` requests ran."""
        self.gaps += times
        self.gap_s += seconds * times
        self.beside += beside * times


class TokenSums:
    """Tokens of one deployment's requests. Keep it where it is used often."""

    __slots__ = (
        "cached_tokens",
        "completion_tokens",
        "prompt_tokens",
        "wasted_tokens_estimated",
    )

    def __init__(self) -> None:
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0
        self.wasted_tokens_estimated = 0


class Metrics:
    """All of a gateway's."""

    def __init__(self) -> None:
        self.requests = Counter("route", "deployment", "outcome", "status")
        self.engine_faults = Counter("deployment")
        self.unknown_callers = Counter("route")
        self.relayed = Counter("status")
        self.turned_away = Counter("why")
        self.release_answers = Counter("release", "outcome")
        self.release_ttft = Histogram(RELEASE_TTFT_BOUNDS_S, "release")
        self.ttft = Histogram(TTFT_BOUNDS_S, "deployment")
        self.inter_token = Histogram(INTER_TOKEN_BOUNDS_S, "deployment")
        self.queue_wait = Histogram(WAIT_BOUNDS_S, "deployment")
        self.duration = Histogram(DURATION_BOUNDS_S, "deployment")
        self._tokens: dict[str, TokenSums] = {}
        self._steps: dict[str, Steps] = {}

    def timings(self, deployment: str) -> "Timings":
        """The series of one deployment's requests."""
        return Timings(
            self.ttft.series((deployment,)),
            self.inter_token.series((deployment,)),
            self.queue_wait.series((deployment,)),
            self.duration.series((deployment,)),
            self._steps_of(deployment),
            self._tokens_of(deployment),
        )

    def _tokens_of(self, deployment: str) -> TokenSums:
        if deployment not in self._tokens and len(self._tokens) >= SERIES:
            deployment = "other"
        return self._tokens.setdefault(deployment, TokenSums())

    def _steps_of(self, deployment: str) -> Steps:
        if deployment not in self._steps and len(self._steps) >= SERIES:
            return Steps()
        return self._steps.setdefault(deployment, Steps())

    def _export_tokens(self) -> dict[str, Any]:
        sums = self._tokens.items()
        return {
            kind: {
                "labels": ["deployment"],
                "series": [[[name], getattr(one, kind)] for name, one in sums],
            }
            for kind in TokenSums.__slots__
        }

    def export(self, gauges: dict[str, Any]) -> dict[str, Any]:
        """Everything, with `gauges` (name → `{"labels", "series"}`) as they are now."""
        return {
            "counters": {
                "requests": self.requests.export(),
                **self._export_tokens(),
                "engine_faults": self.engine_faults.export(),
                "unknown_callers": self.unknown_callers.export(),
                "relayed": self.relayed.export(),
                "turned_away": self.turned_away.export(),
                "release_answers": self.release_answers.export(),
            },
            "histograms": {
                "ttft_seconds": self.ttft.export(),
                "inter_token_seconds": self.inter_token.export(),
                "queue_wait_seconds": self.queue_wait.export(),
                "request_seconds": self.duration.export(),
                "release_ttft_seconds": self.release_ttft.export(),
            },
            "gauges": gauges,
            "steps": {name: [s.gaps, s.gap_s, s.beside] for name, s in self._steps.items()},
        }


@dataclass(frozen=True, slots=True)
class Timings:
    """Looked up once per deployment, not once per request."""

    ttft: Series
    inter_token: Series
    queue_wait: Series
    duration: Series
    steps: Steps
    tokens: TokenSums

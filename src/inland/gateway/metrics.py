"""Counters and histograms of one gateway, cheap to raise, handed on as a plain dictionary.

Labels are bounded: deployments of the snapshot, status codes, outcomes. Control merges and shows.
"""

from bisect import bisect_left
from typing import Any

TTFT_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
INTER_TOKEN_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
WAIT_BOUNDS_S = (0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
DURATION_BOUNDS_S = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 600.0)
#: Series of one metric; what comes beyond is counted under the last label `other`.
SERIES = 4096

Labels = tuple[str, ...]


class Counter:
    """Sums per label values."""

    def __init__(self, *labels: str) -> None:
        self.labels = labels
        self._sums: dict[Labels, int] = {}

    def add(self, values: Labels, amount: int = 1) -> None:
        sums = self._sums
        if values not in sums and len(sums) >= SERIES:
            values = ("other",) * len(values)
        sums[values] = sums.get(values, 0) + amount

    def export(self) -> dict[str, Any]:
        """`{"labels": [...], "series": [[values, sum], ...]}`."""
        series = [[list(values), amount] for values, amount in self._sums.items()]
        return {"labels": list(self.labels), "series": series}


class Histogram:
    """Observations in seconds, per label values, in fixed buckets (the last one has no bound)."""

    def __init__(self, bounds_s: tuple[float, ...], *labels: str) -> None:
        self.labels = labels
        self._bounds = bounds_s
        self._buckets: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, values: Labels, seconds: float, times: int = 1) -> None:
        buckets = self._buckets.get(values)
        if buckets is None:
            if len(self._buckets) >= SERIES:
                return
            buckets = self._buckets[values] = [0] * (len(self._bounds) + 1)
            self._sums[values] = 0.0
        buckets[bisect_left(self._bounds, seconds)] += times
        self._sums[values] += seconds * times

    def export(self) -> dict[str, Any]:
        """`{"labels", "bounds_s", "series": [[values, counts per bucket, sum in s], ...]}`."""
        series = [[list(v), list(b), self._sums[v]] for v, b in self._buckets.items()]
        return {"labels": list(self.labels), "bounds_s": list(self._bounds), "series": series}


class Metrics:
    """All of a gateway's."""

    def __init__(self) -> None:
        self.requests = Counter("route", "deployment", "outcome", "status")
        self.prompt_tokens = Counter("deployment")
        self.completion_tokens = Counter("deployment")
        self.wasted_tokens = Counter("deployment")
        self.unknown_callers = Counter("route")
        self.relayed = Counter("status")
        self.ttft = Histogram(TTFT_BOUNDS_S, "deployment")
        self.inter_token = Histogram(INTER_TOKEN_BOUNDS_S, "deployment")
        self.queue_wait = Histogram(WAIT_BOUNDS_S, "deployment")
        self.duration = Histogram(DURATION_BOUNDS_S, "deployment")

    def export(self, gauges: dict[str, Any]) -> dict[str, Any]:
        """Everything, with `gauges` (name → `{"labels", "series"}`) as they are now."""
        return {
            "counters": {
                "requests": self.requests.export(),
                "prompt_tokens": self.prompt_tokens.export(),
                "completion_tokens": self.completion_tokens.export(),
                "wasted_tokens": self.wasted_tokens.export(),
                "unknown_callers": self.unknown_callers.export(),
                "relayed": self.relayed.export(),
            },
            "histograms": {
                "ttft_seconds": self.ttft.export(),
                "inter_token_seconds": self.inter_token.export(),
                "queue_wait_seconds": self.queue_wait.export(),
                "request_seconds": self.duration.export(),
            },
            "gauges": gauges,
        }

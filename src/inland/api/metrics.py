"""/metrics in Prometheus' text format, for the operator: gateways' totals, processes, the books."""

from collections.abc import Iterator
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import holds
from inland.api.totals import Families, Family
from inland.domain.errors import Busy
from inland.plant.budgets import Standing

router = APIRouter(tags=["metrics"])

#: Every gateway's metrics, by the name they have there: what they say for people.
HELP = {
    "requests": "Requests answered, by how they ended.",
    "prompt_tokens": "Tokens in, by the engine's count.",
    "cached_tokens": "Of the tokens in, those an engine had kept and did not read again.",
    "completion_tokens": "Tokens out, by the engine's count.",
    "wasted_tokens_estimated": "Tokens made for callers that had gone, or lost; billed to nobody.",
    "engine_faults": "Answers given up because what the engine sent or counted cannot be true.",
    "unknown_callers": "Requests without a key that works.",
    "replica_requests": "Requests that each replica works on, of those that work on any.",
    "journals_writable": "Gateways that can write their journal; the others answer 503.",
    "relayed": "Requests passed on to control.",
    "connections_out": "Connections to other machines; those without rules were refused.",
    "turned_away": "Connections and requests refused before anyone looked at them, by why.",
    "ttft_seconds": "Time to the first token.",
    "inter_token_seconds": "Time between tokens of a stream.",
    "release_answers": "Answers by releases, by how they ended.",
    "release_ttft_seconds": "From a request's arrival to its first token, by release.",
    "queue_wait_seconds": "Time in the queue before dispatch.",
    "request_seconds": "Time from a request's head to its answer's end.",
}
_ONE_AT_A_TIME = Lock()


@router.get("/metrics", response_class=Response, responses=holds("text/plain"))
def metrics(
    request: Request, caller: Annotated[Caller, Depends(caller_for("metrics"))]
) -> Response:
    """Everything that is counted. Labels are bounded."""
    del caller
    registry = CollectorRegistry(auto_describe=False)
    with _ONE_AT_A_TIME:
        registry.register(_Factory(request.app.state.control))
        text = generate_latest(registry)
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})


class _Factory(Collector):
    def __init__(self, control: Control) -> None:
        self._control = control

    def collect(self) -> Iterator[Metric]:
        control = self._control
        feed = control.feed
        yield from _gateways(control.totals.observe(feed.heard(), feed.gateways()))
        since = "When all sums over gateways began at zero: control's start, in Unix seconds."
        yield _gauge("counting_since_seconds", since, control.began_unix_s)
        yield _gauge("snapshot_version", "The version published last.", control.feed.version())
        yield _gauge("books_alarms", "Writers whose booking stopped.", len(control.books.alarms))
        yield _gauge("gateways", "Gateways with a lease.", len(control.feed.gateways()))
        yield _processes(control)
        yield _replicas(control)
        yield from _budgets(control)


def _gateways(sums: Families) -> Iterator[Metric]:
    for name, family in sums.get("counters", {}).items():
        counter = CounterMetricFamily(_name(name), HELP.get(name, name), labels=family.labels)
        for values, (amount,) in family.series.items():
            counter.add_metric(list(values), amount)
        yield counter
    for name, family in sums.get("gauges", {}).items():
        gauge = GaugeMetricFamily(_name(name), HELP.get(name, name), labels=family.labels)
        for values, (amount,) in family.series.items():
            gauge.add_metric(list(values), amount)
        yield gauge
    for name, family in sums.get("histograms", {}).items():
        yield _histogram(name, family)


def _histogram(name: str, family: Family) -> HistogramMetricFamily:
    metric = HistogramMetricFamily(_name(name), HELP.get(name, name), labels=family.labels)
    edges = [*(str(bound) for bound in family.bounds_s), "+Inf"]
    for values, (*counts, total) in family.series.items():
        below = 0.0
        buckets = []
        for edge, count in zip(edges, counts, strict=True):
            below += count
            buckets.append((edge, below))
        metric.add_metric(list(values), buckets, total)
    return metric


def _processes(control: Control) -> Metric:
    metric = GaugeMetricFamily(
        "inland_process_restarts", "Restarts of each process.", labels=("name", "role", "state")
    )
    try:
        for view in control.runner.processes():
            metric.add_metric([view.name, view.role, view.state.value], view.restarts)
    except Busy:
        pass  # the supervisor is away; the rest is still worth telling
    return metric


def _replicas(control: Control) -> Metric:
    metric = GaugeMetricFamily(
        "inland_replicas", "Replicas, by state.", labels=("deployment", "state")
    )
    counts: dict[tuple[str, str], int] = {}
    for replica in control.changes.snapshot().replicas.values():
        at = (replica.deployment, replica.state.value)
        counts[at] = counts.get(at, 0) + 1
    for (deployment, state), count in counts.items():
        metric.add_metric([deployment, state], count)
    return metric


def _budgets(control: Control) -> Iterator[Metric]:
    labels = ("tenant", "key", "unit", "period")
    used = GaugeMetricFamily(
        "inland_budget_used_ratio", "Booked of each budget in its period, 1 is all.", labels=labels
    )
    spent = GaugeMetricFamily(
        "inland_budget_standing", "0: ok, 1: beyond its soft percentage, 2: spent.", labels=labels
    )
    order = list(Standing)
    for one in control.budgets.all():
        budget = one.budget
        values = [budget.tenant, budget.key or "", budget.unit, budget.period.value]
        used.add_metric(values, one.used / one.limit if one.limit else 1.0)
        spent.add_metric(values, order.index(one.standing))
    yield used
    yield spent


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_name(name), text, value=value)


def _name(name: str) -> str:
    return f"inland_{name}"

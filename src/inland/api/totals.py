"""Gateways' counters as totals that never go back, whichever of them came and went.

Each life of a gateway (a writer) counts from zero; what a life that ended had counted stays in, and
what one had counted before it was first heard of (by a control that is gone) stays out: so all
sums begin at zero together, and nothing of one is ever taken for new.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

#: Metrics, and series of one, that are kept; what comes beyond is dropped.
MAX_METRICS, MAX_SERIES = 64, 4096

_COUNTED = ("counters", "histograms")

Labels = tuple[str, ...]


class Told(Protocol):
    """What one life of a gateway counted, as it said last, and when it was first heard of."""

    @property
    def writer(self) -> str: ...
    @property
    def metrics(self) -> dict[str, Any] | None: ...
    @property
    def found(self) -> dict[str, Any] | None: ...


@dataclass(slots=True)
class Family:
    """One metric: label names, bounds of its buckets (none for a counter or a gauge), its series.

    A counter's or gauge's series is [value]; a histogram's is its buckets' counts and then the sum.
    """

    labels: Labels
    bounds_s: tuple[float, ...] = ()
    series: dict[Labels, list[float]] = field(default_factory=dict)

    def add(self, values: Labels, amounts: list[float]) -> None:
        """Add to a series; amounts of another shape are dropped."""
        known = self.series.get(values)
        if known is None:
            if len(self.series) < MAX_SERIES:
                self.series[values] = list(amounts)
        elif len(known) == len(amounts):
            self.series[values] = [old + new for old, new in zip(known, amounts, strict=True)]


#: kind ("counters", "histograms", "gauges") → name → family.
Families = dict[str, dict[str, Family]]


class Totals:
    """Sums over the lives seen. `keep` it going, or a life that comes and goes unseen is lost."""

    def __init__(self) -> None:
        self._ended: Families = {}
        self._heard: dict[str, Told] = {}
        self._lock = Lock()

    def keep(self, heard: Iterable[Told]) -> None:
        """Take in what the lives `heard` of lately say."""
        told = {one.writer: one for one in heard if one.metrics is not None}
        with self._lock:
            for writer in self._heard.keys() - told.keys():
                _fold_life(self._ended, self._heard[writer])
            self._heard = told

    def observe(self, heard: Iterable[Told], live: Iterable[Told]) -> Families:
        """Sums over the lives `heard` of lately and those before; gauges of the `live` alone."""
        self.keep(heard)
        sums: Families = {}
        with self._lock:
            _fold_families(sums, self._ended)
            for one in self._heard.values():
                _fold_life(sums, one)
        for one in live:
            _fold(sums, one.metrics or {}, ("gauges",))
        return sums


def _fold_life(into: Families, one: Told) -> None:
    _fold(into, one.metrics or {}, _COUNTED)
    _fold(into, one.found or {}, _COUNTED, -1)


def _fold(into: Families, told: dict[str, Any], kinds: tuple[str, ...], sign: int = 1) -> None:
    for kind in kinds:
        families = into.setdefault(kind, {})
        for name, raw in told.get(kind, {}).items():
            if name not in families and len(families) >= MAX_METRICS:
                continue
            bounds = tuple(raw.get("bounds_s", ()))
            family = families.setdefault(name, Family(tuple(raw["labels"]), bounds))
            for values, *amounts in raw["series"]:
                flat = [*amounts[0], amounts[1]] if bounds else amounts
                family.add(tuple(values), [sign * float(amount) for amount in flat])


def _fold_families(into: Families, families: Families) -> None:
    for kind, named in families.items():
        for name, family in named.items():
            sums = into.setdefault(kind, {}).setdefault(
                name, Family(family.labels, family.bounds_s)
            )
            for values, amounts in family.series.items():
                sums.add(values, amounts)

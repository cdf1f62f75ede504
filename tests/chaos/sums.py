"""Watches `/metrics` while things die: a counter that goes back must say that it began anew."""

from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.beside import Beside
from tests.factory.running import Running

LOOK_S = 0.5
#: When control, which sums, began to count; a later one says that all sums began anew.
BEGAN = "inland_counting_since_seconds"


@dataclass
class Sums(Beside):
    """One thread that reads and compares."""

    factory: Running
    looks: int = 0
    anew: int = 0
    went_back: list[str] = field(default_factory=list)
    _last: dict[str, float] = field(default_factory=dict)
    _began: float = 0.0

    def go_on(self) -> None:
        while not self.over.wait(LOOK_S):
            try:
                self._look()
            except httpx.HTTPError:
                continue

    def _look(self) -> None:
        now, began = counters(self.factory)
        if not now:
            return
        self.looks += 1
        if began != self._began:
            self.anew += 1
            self._began, self._last = began, {}
        for name, before in self._last.items():
            if now.get(name, 0.0) < before:
                self.went_back.append(f"{name}: {before} then {now.get(name)}")
        self._last = now


def counters(factory: Running) -> tuple[dict[str, float], float]:
    """Every counter and bucket by name and labels, and when the counting began."""
    headers = {"authorization": f"Bearer {factory.operator_key}"}
    with factory.http(trust_env=False) as http:
        answer = http.get("/metrics", headers=headers)
    if answer.status_code != httpx.codes.OK:
        return {}, 0.0
    found: dict[str, float] = {}
    began = 0.0
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name == BEGAN:
                began = sample.value
            elif family.type in {"counter", "histogram"} and "_created" not in sample.name:
                found[f"{sample.name}{sorted(sample.labels.items())}"] = sample.value
    return found, began

"""What went through the door, and what was turned away, counted until somebody asks.

Equal uses are one count: an endpoint that is connected to a thousand times a minute is one line.
"""

from collections import Counter
from dataclasses import dataclass
from threading import Lock

#: Different uses remembered between two looks; beyond it their reasons and rules are dropped.
DISTINCT = 1024
#: Why and where, when too many different ones were asked for at once.
MANY = "many"


@dataclass(frozen=True, slots=True)
class Use:
    """A way out that was asked for: `endpoint` as host:port, `why` in a word or two, the `rules`
    that let it pass; none where it was refused."""

    endpoint: str
    why: str
    rules: tuple[str, ...]


class Uses:
    """Counts of one process. Threads may share one."""

    def __init__(self, distinct: int = DISTINCT) -> None:
        self._distinct = distinct
        self._counts: Counter[Use] = Counter()
        self._lock = Lock()

    def add(self, use: Use) -> None:
        """Count one."""
        with self._lock:
            if use not in self._counts and len(self._counts) >= self._distinct:
                use = Use(MANY, MANY, (MANY,) if use.rules else ())
            self._counts[use] += 1

    def counts(self) -> dict[Use, int]:
        """All that was counted since the start; it never goes back."""
        with self._lock:
            return dict(self._counts)

    def by_labels(self) -> dict[tuple[str, str, str], int]:
        """As `counts`, by endpoint, reason, and rules with a space between."""
        return {
            (use.endpoint, use.why, " ".join(use.rules)): count
            for use, count in self.counts().items()
        }

    def series(self) -> list[list[object]]:
        """As metrics tell counts: the labels, and how many."""
        return [[list(labels), count] for labels, count in self.by_labels().items()]

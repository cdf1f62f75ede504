"""What begins runs by itself: a schedule, a new version of a line's data. A controller."""

from inland.domain.errors import InlandError
from inland.domain.lines import KeptLine, Run, RunState, Trigger, TriggerKind
from inland.lines.materials import Shelf
from inland.lines.runs import Runs
from inland.plant.changes import Changes

#: Pause between two looks, in seconds.
LOOK_EVERY_S = 5.0
_HOUR_US = 3_600_000_000


class Triggers:
    """The triggers of one factory's lines. `refused`: why the last one began nothing, by line."""

    def __init__(self, changes: Changes, runs: Runs, shelf: Shelf) -> None:
        self._changes = changes
        self._runs = runs
        self._shelf = shelf
        self._looked_s: float | None = None
        self.refused: dict[tuple[str, str], str] = {}

    def step(self) -> None:
        """Begin what is due."""
        now_s = self._changes.clock.monotonic()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        with self._changes.store.read() as transaction:
            waiting = [
                (kept, next(iter(transaction.lines.runs(kept.tenant, kept.line.name, 1)), None))
                for kept in transaction.lines.lines()
                if kept.line.triggers and not kept.paused
            ]
        for kept, last in waiting:
            if last is None or last.state is not RunState.RUNNING:
                self._look(kept, last)

    def _look(self, kept: KeptLine, last: Run | None) -> None:
        since_us = kept.added_unix_s * 1_000_000 if last is None else last.began_unix_us
        due = next((one for one in kept.line.triggers if self._is_due(one, kept, since_us)), None)
        if due is None:
            return
        name = (kept.tenant, kept.line.name)
        try:
            self._runs.begin(*name, f"trigger {due.kind.value}")
            self.refused.pop(name, None)
        except InlandError as error:
            self.refused[name] = str(error)

    def _is_due(self, trigger: Trigger, kept: KeptLine, since_us: int) -> bool:
        if trigger.kind is TriggerKind.SCHEDULE:
            hours = trigger.hours or 1
            return self._changes.clock.unix_us() >= since_us + hours * _HOUR_US
        return self._shelf.is_new(kept, since_us)

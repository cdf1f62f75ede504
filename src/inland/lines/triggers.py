"""What begins runs by itself: a controller that looks what happened since each line's last run.

Where people's words begin one and the line trains on what is collected of them, they are collected
before.
"""

from collections.abc import Callable

from inland.decide.lines.triggers import Happened, due
from inland.domain.errors import InlandError
from inland.domain.lines import KeptLine, Run, Trigger, TriggerKind
from inland.domain.thumbs import NO_THUMB, Thumb
from inland.lines.materials import Shelf
from inland.lines.runs import Runs
from inland.plant.asset_rulings import acting
from inland.plant.changes import Changes
from inland.plant.feedback import FeedbackRoom, collected_name
from inland.plant.release_moves import live_of

#: Pause between two looks, in seconds.
LOOK_EVERY_S = 5.0
_HOUR_US = 3_600_000_000


class Triggers:
    """The triggers of one factory's lines. `refused`: why the last one began nothing, by line."""

    def __init__(
        self,
        changes: Changes,
        runs: Runs,
        shelf: Shelf,
        feedback: FeedbackRoom,
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """`begin` runs what takes long on a thread of its own."""
        self._changes = changes
        self._runs = runs
        self._shelf = shelf
        self._feedback = feedback
        self._aside = begin
        self._looked_s: float | None = None
        self._collecting: set[tuple[str, str]] = set()
        self.refused: dict[tuple[str, str], str] = {}

    def step(self) -> None:
        """Begin what is due."""
        now_s = self._changes.clock.monotonic()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        with self._changes.store.read() as transaction:
            under_way = {(run.tenant, run.line) for run in transaction.lines.under_way()}
            waiting = [
                (kept, next(iter(transaction.lines.runs(*_name(kept), 1)), None))
                for kept in transaction.lines.lines()
                if kept.line.triggers and not kept.paused and _name(kept) not in under_way
            ]
        for kept, last in waiting:
            self._look(kept, last)

    def _look(self, kept: KeptLine, last: Run | None) -> None:
        since_us = kept.added_unix_s * 1_000_000 if last is None else last.began_unix_us
        for trigger in kept.line.triggers:
            if due(trigger, self._happened(trigger, kept, since_us)):
                self._due(kept, trigger)
                return

    def _due(self, kept: KeptLine, trigger: Trigger) -> None:
        name = _name(kept)
        collects = trigger.kind is TriggerKind.FEEDBACK
        if not collects or collected_name(_model(kept)) not in kept.line.train:
            self._begin(kept, trigger)
        elif name not in self._collecting:
            self._collecting.add(name)
            self._aside(lambda: self._collect(kept, trigger))

    def _collect(self, kept: KeptLine, trigger: Trigger) -> None:
        who = acting(f"that {_by(trigger)} begins", kept.tenant)
        try:
            self._feedback.collect(who, kept.tenant, _model(kept))
        except (InlandError, OSError) as error:
            self.refused[_name(kept)] = str(error)
        else:
            self._begin(kept, trigger)
        finally:
            self._collecting.discard(_name(kept))

    def _begin(self, kept: KeptLine, trigger: Trigger) -> None:
        name = _name(kept)
        try:
            self._runs.begin(*name, _by(trigger))
            self.refused.pop(name, None)
        except InlandError as error:
            self.refused[name] = str(error)

    def _happened(self, trigger: Trigger, kept: KeptLine, since_us: int) -> Happened:
        """As far as the trigger asks."""
        match trigger.kind:
            case TriggerKind.SCHEDULE:
                return Happened((self._changes.clock.unix_us() - since_us) // 1_000_000)
            case TriggerKind.DATA:
                return Happened(is_new=self._shelf.is_new(kept, since_us))
            case TriggerKind.FEEDBACK:
                thumbs, corrections = self._feedback.said(kept.tenant, _model(kept), since_us)
                return Happened(thumbs=thumbs, corrections=corrections)
            case TriggerKind.SCORE:
                return self._liked(trigger, kept, since_us)

    def _liked(self, trigger: Trigger, kept: KeptLine, since_us: int) -> Happened:
        with self._changes.store.read() as transaction:
            live = live_of(transaction.state, kept.tenant, _model(kept))
            if live is None:
                return Happened()
            since_us = max(since_us, live.since_unix_s * 1_000_000)
            if trigger.hours is not None:
                window_us = trigger.hours * _HOUR_US
                since_us = max(since_us, self._changes.clock.unix_us() - window_us)
            liked = transaction.feedback.thumbs(live.id, since_us)
        before = live.compared.get("candidate")
        let_through = Thumb(before["thumbs_up"], before["thumbs"]) if before else NO_THUMB
        return Happened(live=liked, let_through=let_through)


def _name(kept: KeptLine) -> tuple[str, str]:
    return kept.tenant, kept.line.name


def _model(kept: KeptLine) -> str:
    """What people judge: as it is asked for."""
    return kept.line.release or kept.line.base


def _by(trigger: Trigger) -> str:
    return f"trigger {trigger.kind.value}"

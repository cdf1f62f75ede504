"""When a run of a line begins by itself: a trigger, held to what happened since the last one began.

A live score begins one by what is sure of it, as a rollout is judged: by no fewer than so many
thumbs, and by intervals.
"""

from dataclasses import dataclass
from typing import assert_never

from inland.decide.lines.live_score import is_under, is_worse, score
from inland.domain.lines import Trigger, TriggerKind
from inland.domain.thumbs import NO_THUMB, Thumb

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Happened:
    """Since a line's last run began, or since it was declared: `seconds` ago.

    `is_new`: some of its data has another version. `thumbs`, `corrections`: how much was said of
    the model that it releases, and how much of that can be learned from. `live`: what was said of
    the release that is live; `let_through`: what had been when its rollout ended.
    """

    seconds: int = 0
    is_new: bool = False
    thumbs: int = 0
    corrections: int = 0
    live: Thumb = NO_THUMB
    let_through: Thumb = NO_THUMB


def due(trigger: Trigger, happened: Happened) -> str:
    """Why a run is to begin; empty where none is."""
    match trigger.kind:
        case TriggerKind.SCHEDULE:
            hours = trigger.hours or 1
            return f"{hours} h are over" if happened.seconds >= hours * _HOUR_S else ""
        case TriggerKind.DATA:
            return "its data has a new version" if happened.is_new else ""
        case TriggerKind.FEEDBACK:
            return _said(trigger, happened)
        case TriggerKind.SCORE:
            return _fallen(trigger, happened)
        case _:
            assert_never(trigger.kind)


def _said(trigger: Trigger, happened: Happened) -> str:
    if trigger.corrections is not None and happened.corrections >= trigger.corrections:
        return f"{happened.corrections} corrections, of {trigger.corrections}"
    if trigger.thumbs is not None and happened.thumbs >= trigger.thumbs:
        return f"{happened.thumbs} thumbs, of {trigger.thumbs}"
    return ""


def _fallen(trigger: Trigger, happened: Happened) -> str:
    now, before = score(happened.live), score(happened.let_through)
    if now is None or now.count < (trigger.thumbs or 1):
        return ""
    if trigger.least is not None and is_under(now, trigger.least):
        return f"a live score of {now}, at least {100 * trigger.least:.0f}"
    if trigger.points is None or before is None:
        return ""
    if is_worse(now, before, trigger.points / 100):
        return f"a live score of {now}, against {before} when it went live"
    return ""

"""A lane's events as lines, and the same machine driven by them again. Pure.

The first line holds the bounds; each other one the time, an event, and the actions it led to. There
is no text in it: tenants, sizes and counts.
"""

from collections.abc import Iterable

import msgspec

from inland.decide.admission import step
from inland.decide.admission_events import Action, Bounds, Event
from inland.decide.admission_state import State

_encode = msgspec.json.Encoder().encode
_bounds = msgspec.json.Decoder(Bounds).decode
_line = msgspec.json.Decoder(tuple[float, Event, tuple[Action, ...]]).decode


def first_line(bounds: Bounds) -> bytes:
    """How a log begins."""
    return _encode(bounds) + b"\n"


def line(now: float, event: Event, actions: tuple[Action, ...]) -> bytes:
    """One event, and what it led to."""
    return _encode((now, event, actions)) + b"\n"


def replay(lines: Iterable[bytes]) -> tuple[int, list[str]]:
    """How many events there are, and where the machine does otherwise than it did."""
    rest = iter(lines)
    state, count, others = State(_bounds(next(rest))), 0, []
    for count, one in enumerate(rest, 1):
        now, event, before = _line(one)
        state, actions = step(state, event, now)
        if actions != before:
            others.append(f"line {count + 1}: {event} led to {before}, and now to {actions}")
    return count, others

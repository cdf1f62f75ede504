"""A trainer's events as lines of JSON: progress as it is, everything else under its name."""

import json
from dataclasses import asdict

from inland.ports.trainer import Checkpoint, Progress, Refused, Trained, TrainEvent

_NAMED: dict[str, type[Checkpoint] | type[Trained] | type[Refused]] = {
    "checkpoint": Checkpoint,
    "done": Trained,
    "refused": Refused,
}


def line(event: TrainEvent) -> str:
    """One line, without its end."""
    if isinstance(event, Progress):
        return json.dumps(asdict(event))
    name = next(name for name, kind in _NAMED.items() if isinstance(event, kind))
    return json.dumps({name: asdict(event)})


def event(text: str) -> TrainEvent:
    """What a line says. Raises ValueError of anything else."""
    told = json.loads(text)
    if not isinstance(told, dict):
        raise ValueError("an event is an object")  # noqa: TRY004 - of what a program printed
    try:
        for name, kind in _NAMED.items():
            if name in told:
                return kind(**told[name])
        return Progress(**told)
    except TypeError as error:
        raise ValueError(f"no event has these fields: {error}") from None

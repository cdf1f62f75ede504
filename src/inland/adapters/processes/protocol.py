"""What is said on `run/supervisor.sock`: one JSON line asks, one answers. Parsed strictly.

`stop` and `processes` mean the same in every version, so that any can look and stop; for the rest
both sides say which forms they speak (`SPOKEN`).
"""

import json
from dataclasses import MISSING, asdict, fields
from typing import Any

from inland import __version__
from inland.domain.errors import BadInput, Conflict, InlandError, NotFound
from inland.ports.runner import EngineSpec, ProcessState, ProcessView

#: One request or one reply, newline included.
LINE_LIMIT_BYTES = 1024 * 1024

#: The oldest and the newest form of the requests that this version speaks.
SPOKEN = (1, 1)
#: Whoever says nothing speaks the first.
UNSAID = (1, 1)

#: The fields of an engine that are lists of numbers, and of texts.
_NUMBERS = ("cores", "accelerators")
_TEXTS = ("adapters",)
#: The others: name, type, and whether it may be left out.
_PLAIN = tuple(
    (f.name, int if f.type in {int, "int"} else str, f.default is not MISSING)
    for f in fields(EngineSpec)
    if f.name not in {*_NUMBERS, *_TEXTS}
)
_FIELDS = frozenset(f.name for f in fields(EngineSpec))


def to_line(message: dict[str, Any]) -> bytes:
    """A message as a line. Raises BadInput when it is longer than both sides accept."""
    line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    if len(line) > LINE_LIMIT_BYTES:
        raise BadInput("message", f"longer than {LINE_LIMIT_BYTES} bytes")
    return line


def from_line(line: bytes) -> dict[str, Any]:
    """The object in a line. Raises BadInput for anything else."""
    try:
        message = json.loads(line)
    except ValueError:
        raise BadInput("message", "is not JSON") from None
    if not isinstance(message, dict):
        raise BadInput("message", "is not an object")
    return message


def spec_from(raw: object) -> EngineSpec:
    """An engine to run, every field checked. Raises BadInput naming the field."""
    if not isinstance(raw, dict) or set(raw) - _FIELDS:
        raise BadInput("specs", "an engine is an object with the fields of EngineSpec alone")
    for name, expected, optional in _PLAIN:
        if not (optional and name not in raw) and type(raw.get(name)) is not expected:
            raise BadInput(name, f"must be of type {expected.__name__}")
    if "/" in raw["replica"] or not raw["replica"]:
        raise BadInput("replica", "must be a plain name")
    lists: dict[str, Any] = {name: _numbers(name, raw.get(name, [])) for name in _NUMBERS}
    lists |= {name: _texts(name, raw.get(name, [])) for name in _TEXTS}
    return EngineSpec(**raw | lists)


def spec_to(spec: EngineSpec) -> dict[str, Any]:
    """An engine to run as it goes over the socket: what it has of newer forms only where needed."""
    told = asdict(spec)
    return {f.name: told[f.name] for f in fields(EngineSpec) if told[f.name] != f.default}


def _numbers(name: str, raw: object) -> tuple[int, ...]:
    if not isinstance(raw, list) or any(type(one) is not int or one < 0 for one in raw):
        raise BadInput(name, "must be a list of numbers")
    return tuple(raw)


def _texts(name: str, raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or any(type(one) is not str for one in raw):
        raise BadInput(name, "must be a list of texts")
    return tuple(raw)


def view_to(view: ProcessView) -> dict[str, Any]:
    """A process as it goes over the socket, and as `inland status --json` shows it."""
    return {**asdict(view), "state": view.state.value}


def view_from(raw: dict[str, Any]) -> ProcessView:
    """A process as the supervisor told it; what a later version says of it besides is left out."""
    known = {field.name: raw[field.name] for field in fields(ProcessView) if field.name in raw}
    return ProcessView(**{**known, "state": ProcessState(raw["state"])})


def demand_spoken(message: dict[str, Any], who: str) -> None:
    """Raise Conflict when `who` speaks no form of the requests that we do."""
    try:
        oldest, newest = (int(one) for one in message.get("spoken", UNSAID))
    except (TypeError, ValueError):
        raise BadInput("spoken", "is not two numbers") from None
    if max(oldest, SPOKEN[0]) > min(newest, SPOKEN[1]):
        there = message.get("from", "of an unknown version")
        why = f"is Inland {there}, and this is {__version__}: they do not understand each other; "
        raise Conflict(who, why + "use one version, and restart the factory (inland down, up)")


def failure(error: InlandError) -> dict[str, Any]:
    """An error as a reply: its kind and facts, so that the client can raise the same one."""
    facts = {"why": str(error), "error": type(error).__name__}
    match error:
        case NotFound():
            return {"ok": False, **facts, "what": error.what}
        case Conflict():
            return {"ok": False, **facts, "what": error.what, "reason": error.why}
        case BadInput():
            return {"ok": False, **facts, "what": error.field, "reason": error.why}
        case _:
            return {"ok": False, **facts}


def raised(reply: dict[str, Any]) -> InlandError:
    """The error a failed reply stands for."""
    what, reason = str(reply.get("what", "")), str(reply.get("reason", ""))
    match reply.get("error"):
        case "NotFound":
            return NotFound(what)
        case "BadInput":
            return BadInput(what, reason)
        case "Conflict":
            return Conflict(what, reason)
        case _:
            return Conflict("supervisor", str(reply.get("why", "answered nothing it should")))

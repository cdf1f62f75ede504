"""A release beside what is live, as people see it: figures of the same time, side by side."""

from collections.abc import Callable
from typing import Any

from inland.cli import show

#: How many characters a score's interval is drawn in.
WIDE = 25


def tell(compared: dict[str, Any]) -> None:
    """A table of both, and a picture of how sure the live scores are."""
    rows = [
        {"what": what, "this": _said(what, compared["candidate"]), "live": said}
        for what, said in ((one, _said(one, compared["incumbent"])) for one in _SAID)
    ]
    columns = [
        ("", show.field("what")),
        ("THIS RELEASE", show.field("this")),
        ("WHAT IS LIVE", show.field("live")),
    ]
    show.rows(rows, columns, json_too=False)


def picture(score: dict[str, float] | None) -> str:
    """From 0 to 100 %: the interval a line, the point in it a dot."""
    if score is None:
        return "·" * WIDE
    low, point, high = (round(score[name] * (WIDE - 1)) for name in ("low", "point", "high"))
    cells = ["─" if low < at < high else "·" for at in range(WIDE)]
    cells[low], cells[high] = "├", "┤"
    cells[point] = "●"
    return "".join(cells)


def _said(what: str, seen: dict[str, Any]) -> str:
    return str(_SAID[what](seen))


def _errors(seen: dict[str, Any]) -> str:
    if not seen["answers"]:
        return "–"
    return f"{100 * seen['errors'] / seen['answers']:.1f} %"


def _score(seen: dict[str, Any]) -> str:
    score = seen["score"]
    if score is None:
        return "–"
    point, low, high = (round(100 * score[name]) for name in ("point", "low", "high"))
    return f"{point} % ({low} to {high})"


_SAID: dict[str, Callable[[dict[str, Any]], object]] = {
    "answers": lambda seen: seen["answers"],
    "errors": _errors,
    "first tokens (95 %)": lambda seen: f"{seen['ttft_ms']} ms" if seen["ttft_ms"] else "–",
    "thumbs up": lambda seen: f"{seen['thumbs_up']} of {seen['thumbs']}",
    "live score": _score,
    "0 to 100 %": lambda seen: picture(seen["score"]),
}

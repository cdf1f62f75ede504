"""JSON Lines that people write: an object a line, each of which reads one way only.

What is wrong is told by file, line and field, and nothing is left out in silence: a text with one
bad line is refused whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from inland.domain.errors import BadInput
from inland.domain.strict_json import check

#: Bounds of a file of lines.
LINES, LINE_BYTES, LINE_DEPTH, LINE_ITEMS = 1_000_000, 1 << 20, 32, 20_000
#: How many bad lines are told; the others are counted.
TOLD = 20
#: What is wrong with JSON that reads one way only and still cannot be decoded, such as `1e999`.
OUT_OF_RANGE = "holds a number that is out of range"

T = TypeVar("T")


@dataclass
class BadLine(BadInput):
    """`line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.field}: {self.why}"


@dataclass
class BadLines(BadInput):
    """Every bad line, the first `TOLD` of them told."""

    lines: tuple[BadLine, ...]

    def __str__(self) -> str:
        told = "; ".join(map(str, self.lines[:TOLD]))
        more = len(self.lines) - TOLD
        return f"{told}; and {more} more" if more > 0 else told


def read(file: str, data: bytes, parse: Callable[[int, dict[str, Any]], T]) -> list[T]:
    """What `parse` makes of each line's number and object, in order. `file` is how people know it.

    `parse` raises BadInput with the field that is wrong. Raises BadLines.
    """
    found: list[T] = []
    bad: list[BadLine] = []
    lines = data.removesuffix(b"\n").split(b"\n", LINES)
    if not data.strip():
        bad.append(BadLine("file", "has no line", file, 0))
    elif len(lines) > LINES:
        bad.append(BadLine("file", f"has more than {LINES} lines", file, 0))
    else:
        for number, line in enumerate(lines, 1):
            try:
                found.append(parse(number, _object(line)))
            except BadInput as error:
                bad.append(BadLine(error.field, error.why, file, number))
    if bad:
        raise BadLines(file, "has bad lines", tuple(bad))
    return found


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES:
        raise BadInput("line", f"has {len(line)} bytes; at most {LINE_BYTES}")
    if not line.strip():
        raise BadInput("line", "is empty")
    try:
        check(line, LINE_DEPTH, LINE_ITEMS)
    except BadInput as error:
        field = "line" if error.field == "body" else error.field
        raise BadInput(field, error.why) from None
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        raise BadInput("line", OUT_OF_RANGE) from None
    if not isinstance(found, dict):
        raise BadInput("line", "is not a JSON object")
    return found


def demand_known(fields: dict[str, Any], known: tuple[str, ...], where: str = "") -> None:
    """Raises BadInput where a field is there that nobody would read."""
    for name in fields:
        if name not in known:
            raise BadInput(f"{where}{name}"[:64], f"is not a field here: {', '.join(known)}")

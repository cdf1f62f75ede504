"""The input of a batch: JSON Lines, a request each, in OpenAI's form.

Nothing of it is left out in silence: a file with one bad line is refused whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from inland.domain.batches import Flaw
from inland.domain.errors import BadInput
from inland.domain.json_lines import LINE_DEPTH, LINE_ITEMS, OUT_OF_RANGE
from inland.domain.strict_json import check

#: The paths that a batch may ask.
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
CUSTOM_ID_CHARS = 512
#: Flaws that are told; the others are not.
TOLD = 50
_FIELDS = ("custom_id", "method", "url", "body")


@dataclass(frozen=True, slots=True)
class Bounds:
    """`requests`: of one file. `line_bytes`: of each."""

    requests: int
    line_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """One line. `number`: from 1 on. `body`: JSON, as it was written."""

    number: int
    custom_id: str
    body: str


@dataclass
class _Bad(BadInput):
    code: str


def flaws(data: bytes, endpoint: str, bounds: Bounds) -> tuple[int, list[Flaw]]:
    """How many requests it has, and what is wrong with it."""
    found: list[Flaw] = []
    seen: dict[str, int] = {}
    number = 0
    for number, line in _lines(data):
        if number > bounds.requests:
            why = f"The file has more than {bounds.requests} requests."
            return number, [Flaw("too_many_tasks", why)]
        try:
            _demand_new(seen, _request(number, line, endpoint, bounds))
        except _Bad as bad:
            if len(found) < TOLD:
                found.append(Flaw(bad.code, f"{bad.field}: {bad.why}", number, bad.field))
    if not number:
        found.append(Flaw("empty_file", "The file has no request."))
    return number, found


def _demand_new(seen: dict[str, int], one: Request) -> None:
    """Raises _Bad for a custom id that was there before."""
    if one.custom_id in seen:
        why = f"{one.custom_id[:64]!r} is that of line {seen[one.custom_id]} as well"
        raise _Bad("custom_id", why, "duplicate_custom_id")
    seen[one.custom_id] = one.number


def page(data: bytes, endpoint: str, bounds: Bounds, first: int, most_bytes: int) -> list[Request]:
    """The requests from line `first` on, at least one and no more bytes than that."""
    found: list[Request] = []
    size = 0
    for number, line in _lines(data):
        if number < first:
            continue
        size += len(line)
        if found and size > most_bytes:
            break
        found.append(_request(number, line, endpoint, bounds))
    return found


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, number = 0, 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        number += 1
        yield number, data[at:end]
        at = end + 1


def _request(number: int, line: bytes, endpoint: str, bounds: Bounds) -> Request:
    """Raises _Bad."""
    if len(line) > bounds.line_bytes:
        raise _Bad("line", f"has more than {bounds.line_bytes} bytes", "line_too_long")
    try:
        check(line, LINE_DEPTH, LINE_ITEMS)
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except BadInput as error:
        field = "line" if error.field == "body" else error.field
        raise _Bad(field, error.why, "invalid_json_line") from None
    except msgspec.DecodeError:
        raise _Bad("line", "is not a JSON object", "invalid_json_line") from None
    for name in fields:
        if name not in _FIELDS:
            why = f"is not a field here: {', '.join(_FIELDS)}"
            raise _Bad(name[:64], why, "unknown_parameter")
    custom_id, method, url = (_text(fields, name) for name in _FIELDS[:3])
    if not 0 < len(custom_id) <= CUSTOM_ID_CHARS:
        raise _Bad("custom_id", f"has 1 to {CUSTOM_ID_CHARS} characters", "invalid_custom_id")
    if method != "POST":
        raise _Bad("method", "must be POST", "invalid_method")
    if url != endpoint:
        raise _Bad("url", f"must be the batch's endpoint, {endpoint}", "mismatched_endpoint")
    if "body" not in fields:
        raise _Bad("body", "is missing", "missing_required_parameter")
    return Request(number, custom_id, _body(bytes(fields["body"])))


def _text(fields: dict[str, msgspec.Raw], name: str) -> str:
    if name not in fields:
        raise _Bad(name, "is missing", "missing_required_parameter")
    try:
        return msgspec.json.decode(fields[name], type=str)
    except msgspec.DecodeError:
        raise _Bad(name, "must be a text", "invalid_type") from None


def _body(raw: bytes) -> str:
    try:
        body: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise _Bad("body", OUT_OF_RANGE, "invalid_json_line") from None
    if not isinstance(body, dict):
        raise _Bad("body", "must be an object", "invalid_type")
    if body.get("stream"):
        raise _Bad("body.stream", "a batch streams nothing", "invalid_value")
    return raw.decode()

"""A body decoded into a type that cannot be wrong: it reads one way only, anything unknown in it is
refused by its name."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from inland.domain import strict_json
from inland.domain.limits import Limits
from inland.gateway.errors import Refused, invalid

_Body = TypeVar("_Body")

_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_AT = re.compile(r" - at `(?:key in )?\$\.?(.*?)`")
_MISSING = re.compile(r"missing required field `(.*?)`")


def decoder(body: type[_Body]) -> Callable[[bytes, Limits], _Body]:
    """What decodes a `body`. It raises Refused naming the field that is wrong or given twice."""
    decode = msgspec.json.Decoder(body).decode

    def decoded(data: bytes, limits: Limits) -> _Body:
        try:
            strict_json.check(data, limits.json_depth, limits.json_items)
            return decode(data)
        except strict_json.BadJson as bad:
            raise _not_strict(bad) from None
        except msgspec.ValidationError as error:
            raise _wrong_field(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid(None, "The body is not JSON.", "invalid_json") from None

    return decoded


def _not_strict(bad: strict_json.BadJson) -> Refused:
    if bad.code == strict_json.DUPLICATE:
        return invalid(bad.field, f"`{bad.field}` {bad.why}; give it once.", bad.code)
    return invalid(None, f"The {bad.field} {bad.why}.", bad.code)


def _wrong_field(text: str) -> Refused:
    at = _AT.search(text)
    path = at.group(1) if at else ""
    if unknown := _UNKNOWN.search(text):
        name = ".".join(part for part in (path, unknown.group(1)) if part)
        return invalid(name, f"`{name}` is unknown or not supported here; leave it out.")
    if missing := _MISSING.search(text):
        name = ".".join(part for part in (path, missing.group(1)) if part)
        return invalid(name, f"`{name}` is missing.", "missing_field")
    what = _AT.sub("", text)
    return invalid(path or None, f"`{path}`: {what}." if path else f"{what}.")

"""A body decoded into a type that cannot be wrong, anything unknown refused by its name."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from inland.gateway.errors import Refused, invalid

_Body = TypeVar("_Body")

_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_AT = re.compile(r" - at `(?:key in )?\$\.?(.*?)`")
_MISSING = re.compile(r"missing required field `(.*?)`")


def decoder(body: type[_Body]) -> Callable[[bytes], _Body]:
    """What decodes a `body`. It raises Refused naming the field that is wrong."""
    decode = msgspec.json.Decoder(body).decode

    def decoded(data: bytes) -> _Body:
        try:
            return decode(data)
        except msgspec.ValidationError as error:
            raise _wrong_field(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid(None, "The body is not JSON.", "invalid_json") from None

    return decoded


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

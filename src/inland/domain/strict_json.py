"""JSON that can be read one way only: bounded, nothing nested too deep, no name given twice.

Decoders take the last of two members of one name; a filter in front of us may have read the first.
Costs a microsecond for a short body: `jiter` parses it once more than it would have to be.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import jiter

from inland.domain.errors import BadInput

MALFORMED, DUPLICATE = "invalid_json", "duplicate_field"
TOO_DEEP, TOO_MANY = "too_deep", "too_many_items"
#: A member takes two bytes at least, itself and a comma.
_MEMBER_BYTES = 2
#: And has four quotes at most: a name's and a text's.
_QUOTES = 4
#: How much of a name is told.
_SHOWN = 64
_DUPLICATE = re.compile(r'^Detected duplicate key "(.*)" at line \d+ column \d+$', re.DOTALL)
_parse = partial(jiter.from_json, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none")


@dataclass
class BadJson(BadInput):
    """`code` says what is wrong for programs."""

    code: str


def check(body: bytes, depth: int, items: int) -> None:
    """Raise BadJson unless `body` is one document within bounds.

    `depth`: lists and objects inside one another. `items`: members of all lists and objects.
    """
    if len(body) > _MEMBER_BYTES * items and _has_more(body, items):
        raise BadJson("body", f"has more than {items} items", TOO_MANY)
    try:
        document = _parse(body)
    except ValueError as error:
        raise _bad(str(error), depth) from None
    if body.count(b"[") + body.count(b"{") > depth and _is_deeper(document, depth):
        raise _too_deep(depth)


def _has_more(body: bytes, items: int) -> bool:
    """Counted with what stands in texts first, which is quick; where that is too much, without."""
    if _members(body) <= items:
        return False
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > _QUOTES * items:
        return True
    return _members(b"".join(plain.split(b'"')[::2])) > items


def _members(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _is_deeper(document: Any, depth: int) -> bool:
    level = [document]
    for _ in range(depth):
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return False
    return True


def _bad(text: str, depth: int) -> BadJson:
    if twice := _DUPLICATE.match(text):
        name = twice.group(1)[:_SHOWN]
        return BadJson(name, "is given twice in one object", DUPLICATE)
    if text.startswith("recursion limit"):
        return _too_deep(depth)
    return BadJson("body", "is not JSON", MALFORMED)


def _too_deep(depth: int) -> BadJson:
    return BadJson("body", f"is nested deeper than {depth} levels", TOO_DEEP)

"""JSON schemas that callers bring, held to what an engine can make a grammar of in good time.

An engine tries each way a schema branches, for all its tenants on one thread: two dozen definitions
that name one another twice are a hundred million ways. So a schema is measured as it is written
out, with what each `$ref` names in its place; the measuring ends where the bound is reached.
"""

import re
from typing import Any

from inland.domain.limits import Limits
from inland.gateway.errors import invalid

#: So many characters of a name or a text count as one item more.
ITEM_CHARACTERS = 256
#: What a pattern reads as one character: an escape, or what stands in brackets.
_ATOM = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]?", re.DOTALL)
_QUANTIFIER = re.compile(r"(\)?)(?:([?*+])|\{(\d*)(,?)(\d*)\})")
#: Doublings for a repetition without an end, of a character and of a group; digits read of a count.
_OPEN, _GROUP_OPEN, _DIGITS = 2, 3, 9
_HERE = "#/"


def check_answer(schema: dict[str, Any], limits: Limits) -> None:
    """Raises Refused where the schema of an answer branches too much."""
    _measured("response_format.json_schema.schema", schema, limits.schema_items)


def check_tools(schemas: list[dict[str, Any] | None], limits: Limits) -> None:
    """Raises Refused where one tool's schema does, or all of them together."""
    left = limits.tools_items
    for at, schema in enumerate(schemas):
        field = f"tools[{at}].function.parameters"
        left -= _measured(field, schema or {}, limits.schema_items)
        if left < 0:
            raise invalid("tools", f"Schemas of all tools have at most {limits.tools_items} items.")


def _measured(field: str, schema: dict[str, Any], most: int) -> int:
    """The items of `schema`, written out. Raises Refused beyond `most`."""
    items = 0
    left: list[tuple[Any, tuple[str, ...]]] = [(schema, ())]
    while left:
        node, inside = left.pop()
        if isinstance(node, dict):
            for name, value in node.items():
                items += 1 + len(name) // ITEM_CHARACTERS
                if name == "$ref" and isinstance(value, str):
                    items += len(value) // ITEM_CHARACTERS
                    if items <= most and value not in inside:
                        left.append((_named(field, schema, value), (*inside, value)))
                elif name == "pattern" and isinstance(value, str):
                    items += _ways(value, most)
                else:
                    left.append((value, inside))
        elif isinstance(node, list):
            items += len(node)
            left += [(value, inside) for value in node]
        elif isinstance(node, str):
            items += len(node) // ITEM_CHARACTERS
        if items > most:
            text = f"`{field}` has more than {most} items with every `$ref` written out."
            raise invalid(field, text, "schema_too_large")
    return items


def _named(field: str, schema: dict[str, Any], ref: str) -> Any:
    """What `ref` names. Raises Refused where that is nothing in this schema."""
    node: Any = schema
    for name in ref.removeprefix(_HERE).split("/") if ref != "#" else ():
        plain = name.replace("~1", "/").replace("~0", "~")
        if not ref.startswith(_HERE) or not isinstance(node, dict) or plain not in node:
            raise invalid(field, f"`{field}`: a `$ref` names nothing in the schema.")
        node = node[plain]
    return node


def _ways(pattern: str, most: int) -> int:
    """In how many ways a regular expression may read a word, at most: each quantifier doubles them
    as often as it leaves something open, one on a group for each time more."""
    if len(pattern) > most:
        return most + 1
    plain = _ATOM.sub("x", pattern)
    doubled = sum(_open(*found) for found in _QUANTIFIER.findall(plain))
    if doubled > most.bit_length():
        return most + 1
    return (1 + plain.count("|")) << doubled


def _open(group: str, sign: str, least: str, comma: str, most: str) -> int:
    if sign == "?":
        return 1
    if sign or (comma and not most):
        return _GROUP_OPEN if group else _OPEN
    times = max((int(one[:_DIGITS]) for one in (least, most) if one), default=0)
    if group:
        return times
    return _OPEN if comma else 1

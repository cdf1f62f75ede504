"""What callers' JSON schemas are held to, whatever they are written like."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from inland.domain.limits import Limits
from inland.gateway.dialect import chat
from inland.gateway.errors import Refused

TEXT = {"type": "string"}


def twice(levels: int) -> dict[str, Any]:
    """A schema of `levels` definitions, each naming the one before it twice."""
    made: dict[str, Any] = {"d0": TEXT}
    for at in range(1, levels):
        made[f"d{at}"] = {"anyOf": [{"$ref": f"#/$defs/d{at - 1}"}] * 2}
    return {"$defs": made, "$ref": f"#/$defs/d{levels - 1}"}


def pattern(text: str) -> dict[str, Any]:
    return {"type": "string", "pattern": text}


def ask(limits: Limits = Limits(), **fields: object) -> None:  # noqa: B008
    """Raises Refused where the fields are."""
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}], **fields}
    chat.decode(json.dumps(body).encode(), limits).work(limits, 4)


def answer(schema: dict[str, Any]) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}


def tool(schema: dict[str, Any], name: str = "f") -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        twice(64),
        {"enum": [f"v{at}" for at in range(600)]},
        {"const": "x" * (1 << 20)},
        {"properties": {f"k{at}": TEXT for at in range(600)}},
        {"properties": {"x" * (1 << 20): TEXT}},
        pattern("[a-z]?" * 64),
        pattern("(((a{0,64}){0,64}){0,64})"),
        pattern("((([a-z]+)+)+)+"),
        pattern("a" * 1000),
        pattern("[" * (1 << 20)),
        {"$defs": {}, "$ref": "#/$defs/" + "x" * (1 << 20)},
        pattern("a{" + "9" * 5000 + "}" * 2 + "(a){" + "9" * 400 + "}"),
    ],
)
def test_a_schema_that_branches_too_much_is_refused_by_name_and_at_once(
    schema: dict[str, Any],
) -> None:
    began = time.process_time()
    with pytest.raises(Refused) as refused:
        ask(response_format=answer(schema))
    assert refused.value.param == "response_format.json_schema.schema"
    assert refused.value.code == "schema_too_large"
    with pytest.raises(Refused) as refused:
        ask(tools=[tool({}, "g"), tool({"properties": {"a": schema}, **schema})])
    assert refused.value.param == "tools[1].function.parameters"
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "schema",
    [
        twice(5),
        {"enum": [f"v{at}" for at in range(250)]},
        {"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"},
        {"properties": {"pattern": TEXT, "$ref": TEXT}},
        {"$defs": {"a/b": TEXT}, "$ref": "#/$defs/a~1b"},
        pattern(r"^\d{4}-\d{2}-\d{2}$"),
        pattern(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        pattern(r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$"),
        pattern("^(mon|tue|wed|thu|fri|sat|sun)$"),
    ],
)
def test_what_people_write_is_taken(schema: dict[str, Any]) -> None:
    ask(response_format=answer(schema), tools=[tool(schema)])


def test_all_tools_together_have_a_bound() -> None:
    each = {"properties": {f"k{at}": TEXT for at in range(5)}}  # 11 items
    ask(replace(Limits(), tools_items=22), tools=[tool(each, "f"), tool(each, "g")])
    with pytest.raises(Refused, match="all tools"):
        ask(replace(Limits(), tools_items=21), tools=[tool(each, "f"), tool(each, "g")])


@pytest.mark.parametrize(
    "ref", ["#/$defs/no", "#/", "https://example.org/x", "other", "#/$defs/t/0"]
)
def test_a_ref_to_nothing_here_is_refused(ref: str) -> None:
    with pytest.raises(Refused, match="names nothing"):
        ask(response_format=answer({"$defs": {"t": ["x"]}, "$ref": ref}))


def test_a_function_s_name_ends_where_it_ends() -> None:
    with pytest.raises(Refused):
        ask(tools=[tool({}, "f\n")])

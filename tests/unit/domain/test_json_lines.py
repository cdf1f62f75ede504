"""Lines that people write are read whole or refused, each bad one by file, line and field."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.domain.errors import BadInput
from inland.domain.json_lines import TOLD, BadLines, demand_known, read

OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=9),
    max_size=4,
)


def as_is(line, fields):
    return line, fields


@given(objects=st.lists(OBJECTS, min_size=1, max_size=9), ended=st.booleans())
def test_each_line_is_read_under_its_number(objects, ended):
    text = "\n".join(map(json.dumps, objects)) + ("\n" if ended else "")
    assert read("a", text.encode(), as_is) == list(enumerate(objects, 1))


@settings(max_examples=15)
@given(good=st.lists(OBJECTS, max_size=9), at=st.integers(0, 9))
@pytest.mark.parametrize("bad", ["", "{", "[1]", "3", '{"a":1,"a":2}', '{"a":NaN}', "\ufeff{}"])
def test_one_bad_line_refuses_all_and_is_named(bad, good, at):
    lines = [json.dumps(one) for one in good]
    lines.insert(at := min(at, len(lines)), bad)
    lines.append("{}")
    with pytest.raises(BadLines) as caught:
        read("notes.jsonl", "\n".join(lines).encode(), as_is)
    (found,) = caught.value.lines
    assert (found.file, found.line) == ("notes.jsonl", at + 1)
    assert str(found).startswith(f"notes.jsonl:{at + 1}: ")


def test_a_number_that_none_can_hold_is_told_by_its_line():
    with pytest.raises(BadLines, match="a:2: line: holds a number that is out of range"):
        read("a", b'{}\n{"weight":1e999}\n', as_is)


@pytest.mark.parametrize("data", [b"", b"\n", b" \n \n"])
def test_a_file_without_a_line_is_refused(data):
    with pytest.raises(BadLines, match="a: file: has no line"):
        read("a", data, as_is)


def test_every_bad_line_is_counted_and_the_first_ones_told():
    def refuse(line, fields):
        raise BadInput("input", "is wrong")

    with pytest.raises(BadLines) as caught:
        read("a", b"{}\n" * (TOLD + 3), refuse)
    assert len(caught.value.lines) == TOLD + 3
    assert str(caught.value).startswith("a:1: input: is wrong; a:2: ")
    assert str(caught.value).endswith("; and 3 more")


def test_a_field_that_nobody_reads_is_refused():
    with pytest.raises(BadInput, match=r"messages\[0\]\.name: is not a field here: role"):
        demand_known({"role": 1, "name": 2}, ("role",), "messages[0].")

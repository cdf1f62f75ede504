"""The input of a batch: one line, one request; what it is cut into is the whole of it, once."""

import json

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.batch_file import Bounds, flaws, page

CHAT = "/v1/chat/completions"
BOUNDS = Bounds(1000, 1 << 16)


def line(name: str, body: dict) -> bytes:
    asked = {"custom_id": name, "method": "POST", "url": CHAT, "body": body}
    return json.dumps(asked).encode()


@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=30), most=st.integers(1, 2000))
def test_pages_are_every_request_once_and_as_it_was_written(texts, most):
    bodies = [{"input": text} for text in texts]
    data = b"\n".join(line(f"r{n}", body) for n, body in enumerate(bodies))
    assert flaws(data, CHAT, BOUNDS) == (len(texts), [])
    found, first = [], 1
    while first <= len(texts):
        some = page(data, CHAT, BOUNDS, first, most)
        found += some
        first = some[-1].number + 1
    assert [one.number for one in found] == list(range(1, len(texts) + 1))
    assert [json.loads(one.body) for one in found] == bodies


@given(data=st.binary(max_size=300))
def test_whatever_a_file_holds_it_is_told_and_never_a_failure(data):
    total, found = flaws(data, CHAT, BOUNDS)
    assert found or total


def test_an_empty_file_and_an_empty_line_are_told():
    assert flaws(b"", CHAT, BOUNDS)[1][0].code == "empty_file"
    total, found = flaws(line("a", {}) + b"\n\n" + line("b", {}) + b"\n", CHAT, BOUNDS)
    assert (total, [(one.line, one.code) for one in found]) == (3, [(2, "invalid_json_line")])


def test_a_line_has_a_bound():
    (found,) = flaws(line("a", {"input": "x" * 100}), CHAT, Bounds(10, 100))[1]
    assert (found.line, found.code) == (1, "line_too_long")


def test_a_number_that_none_can_hold_is_told_by_its_line():
    bad = line("b", {"temperature": 1}).replace(b"1}", b"1e999}")
    (found,) = flaws(line("a", {}) + b"\n" + bad, CHAT, BOUNDS)[1]
    assert (found.line, found.param, found.code) == (2, "body", "invalid_json_line")

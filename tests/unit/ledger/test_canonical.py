"""Canonical records: RFC 8785 bytes, one way to write each value, everything else refused."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from inland.ledger import canonical
from inland.ledger.canonical import Malformed
from tests.unit.ledger import example

LARGEST = (1 << 53) - 1
KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(KEYS, VALUES, max_size=8)


@given(RECORDS)
def test_the_bytes_are_those_of_rfc_8785(record):
    assert canonical.encode(record, max_depth=100) == rfc8785.dumps(record)


@given(RECORDS)
def test_what_was_written_reads_back_the_same(record):
    assert canonical.decode(canonical.encode(record)) == record


@given(st.binary(max_size=60) | RECORDS.map(rfc8785.dumps).map(lambda data: data + b" "))
def test_bytes_are_read_only_in_their_one_form(data):
    try:
        record = canonical.decode(data)
    except Malformed:
        return
    assert canonical.encode(record) == data


def test_every_control_character_is_escaped_as_rfc_8785_says():
    record = {"all": "".join(map(chr, range(0x100))) + "\u2028\u2029\U0010ffff"}
    assert canonical.encode(record) == rfc8785.dumps(record)


def test_a_real_record_is_written_as_rfc_8785_says():
    for record in (example.request("demo", 1), example.refusal("acme"), example.change(1)):
        assert canonical.encode(record) == rfc8785.dumps(record)


class Colour(StrEnum):
    RED = "red"


def test_tuples_and_named_strings_are_written_as_lists_and_strings():
    record = {"list": ("a", 1, (None,)), "name": Colour.RED, "names": (Colour.RED,)}
    assert canonical.encode(record) == b'{"list":["a",1,[null]],"name":"red","names":["red"]}'


UNWRITABLE = {
    "a float": 1.0,
    "not a number": float("nan"),
    "bytes": b"x",
    "a time": datetime(2026, 1, 1, tzinfo=UTC),
    "a decimal": Decimal(1),
    "a set": {1},
    "too large": LARGEST + 1,
    "too small": -LARGEST - 1,
    "a key of another script": {"\u00e5": 1},
    "a key that is a number": {1: 1},
    "a lone surrogate": "\ud800",
    "an object of nothing": object(),
}


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"in": [{"deep": v}]}])
@pytest.mark.parametrize("value", UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_has_no_one_form_is_not_written(value, wrap):
    with pytest.raises(Malformed):
        canonical.encode({"value": wrap(value)})


def test_the_largest_integers_are_written():
    assert canonical.encode({"a": LARGEST, "b": -LARGEST}) == (
        b'{"a":9007199254740991,"b":-9007199254740991}'
    )


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"in": inner}])
def test_depth_is_bounded(wrap):
    value = 1
    for _ in range(canonical.MAX_DEPTH - 1):
        value = wrap(value)
    assert canonical.decode(canonical.encode({"a": value})) == {"a": value}
    with pytest.raises(Malformed):
        canonical.encode({"a": wrap(value)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'{"a":1.0}',
        b'{"a":1e0}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b"\xef\xbb\xbf{}",
        b'{"a":"\\u0061"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u001F"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":9007199254740992}',
        b'{"a":1e400}',
        b'{"a":NaN}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":"' + b"a" * canonical.MAX_RECORD_BYTES + b'"}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_any_other_bytes_are_refused(data):
    with pytest.raises(Malformed):
        canonical.decode(data)


def test_an_entry_is_the_sha_256_of_the_bytes():
    # SHA-256 of "{}", as any implementation gives it.
    expected = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert canonical.entry(b"{}").hex() == expected

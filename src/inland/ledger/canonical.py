"""The one way a record is written: RFC 8785 JSON without floats and with ASCII keys.

Of such values msgspec with sorted keys writes the bytes RFC 8785 asks for. What
could be written in two ways is refused, so equal bytes and equal records are the same thing.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from inland.domain.errors import InlandError
from inland.ledger.records import Entry, Record

#: Integers beyond ±(2^53 - 1) do not survive every JSON reader (RFC 8785, section 3.2.2.3).
INTEGER_LIMIT = 1 << 53
#: Objects and lists inside one another in a record, the record itself counted.
MAX_DEPTH = 16
MAX_RECORD_BYTES = 1 << 20

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_PLAIN = frozenset({str, bool, type(None)})


@dataclass
class Malformed(InlandError):
    """Bytes or values that are not what their format allows: `what` was read, `why` it is wrong."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


def encode(record: Record, max_depth: int = MAX_DEPTH) -> bytes:
    """The canonical bytes of `record`. Tuples are written as lists, string enums as their values.

    Raises Malformed: floats, keys that are not ASCII, integers beyond ±(2^53 - 1), lone surrogates,
    other types, nesting deeper than `max_depth`.
    """
    _check_object(record, max_depth)
    try:
        return _ENCODER.encode(record)
    except UnicodeEncodeError:
        raise Malformed("record", "a string holds a lone surrogate") from None


def decode(data: bytes) -> Record:
    """The record whose canonical bytes are exactly `data`. Raises Malformed for anything else."""
    record = parse(data, "record", MAX_RECORD_BYTES)
    if encode(record) != data:
        raise Malformed("record", "not in canonical form")
    return record


def parse(data: bytes, what: str, max_bytes: int) -> Record:
    """The JSON object in `data`, not yet compared with its canonical form. Raises Malformed."""
    if len(data) > max_bytes:
        raise Malformed(what, f"{len(data)} bytes is more than {max_bytes}")
    try:
        value = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(what, f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise Malformed(what, "not a JSON object")
    return value


def entry(data: bytes) -> Entry:
    """The 32 bytes that stand in a tree for the record written as `data`."""
    return Entry(sha256(data).digest())


# Runs for every record on the token path: the common types fall through with one set lookup.
def _check_object(value: Record, depth: int) -> None:
    if type(value) is not dict or not depth:
        raise Malformed("record", "not an object" if depth else "nested too deep")
    try:
        if not "".join(value).isascii():
            raise Malformed("record", "a key is not ASCII")
    except TypeError:
        raise Malformed("record", "a key is not a string") from None
    for item in value.values():
        if type(item) not in _PLAIN:
            _check(item, depth)


def _check(item: Any, depth: int) -> None:
    kind = type(item)
    if kind is int:
        if not -INTEGER_LIMIT < item < INTEGER_LIMIT:
            raise Malformed("record", f"integer {item} is beyond ±(2^53 - 1)")
    elif kind is dict:
        _check_object(item, depth - 1)
    elif kind is list or kind is tuple:
        if depth <= 1:
            raise Malformed("record", "nested too deep")
        for each in item:
            if type(each) not in _PLAIN:
                _check(each, depth - 1)
    elif not isinstance(item, str):
        raise Malformed("record", f"a {kind.__name__} cannot be recorded")

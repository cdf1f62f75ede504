"""safetensors by its lengths: the header fits, and its tensors are the rest of the file exactly.

Source: https://github.com/huggingface/safetensors#format.
"""

import json
from dataclasses import dataclass
from math import prod
from typing import Any

from inland.adapters.weights.formats.window import Refused, Window
from inland.domain.strict_json import BadJson
from inland.domain.strict_json import check as demand_strict

#: As the format's own library has it.
MAX_HEADER_BYTES = 100_000_000
MAX_TENSORS = 1_000_000
MAX_DIMENSIONS = 16
#: The header, an entry, its lists.
MAX_DEPTH = 3
_ITEMS = 3 + MAX_DIMENSIONS
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}
#: Bits of an element, by the type's name.
_BITS = (
    dict.fromkeys(("F4",), 4)
    | dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6)
    | dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8)
    | dict.fromkeys(("I16", "U16", "F16", "BF16"), 16)
    | dict.fromkeys(("I32", "U32", "F32"), 32)
    | dict.fromkeys(("I64", "U64", "F64", "C64"), 64)
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What its header says there is."""

    tensors: int
    parameters: int


def check(window: Window) -> Counts:
    """Refuse what is not exactly one safetensors file."""
    length = window.u64("the header's length")
    if length > MAX_HEADER_BYTES:
        raise Refused(f"its header claims {length} bytes; at most {MAX_HEADER_BYTES}")
    header = _header(window.take(length, "the header"))
    _metadata(header.pop(_METADATA, {}))
    if not 0 < len(header) <= MAX_TENSORS:
        raise Refused(f"holds {len(header)} tensors; 1 to {MAX_TENSORS}")
    spans = []
    parameters = 0
    for name, entry in header.items():
        begin, end, elements = _tensor(name, entry)
        spans.append((begin, end, name))
        parameters += elements
    _contiguous(sorted(spans), window.left)
    return Counts(len(header), parameters)


def _header(data: bytes) -> dict[str, Any]:
    if data[:1] != b"{":
        raise Refused("its header does not begin as JSON")
    try:
        demand_strict(data, MAX_DEPTH, MAX_TENSORS * _ITEMS)
        header = json.loads(data)
    except (BadJson, ValueError) as error:
        raise Refused(f"its header cannot be read: {error}") from None
    if not isinstance(header, dict):
        raise Refused("its header is no object")
    return header


def _metadata(found: Any) -> None:
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise Refused("its metadata is not texts by name")


def _tensor(name: str, entry: Any) -> tuple[int, int, int]:
    """Where a tensor lies, and how many elements it has."""
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise Refused(f"the tensor {_shown(name)} has not exactly {sorted(_FIELDS)}")
    bits = _BITS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if bits is None:
        raise Refused(f"the tensor {_shown(name)} is of a type that is none here")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise Refused(f"the shape of the tensor {_shown(name)} is no list of counts")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise Refused(f"the offsets of the tensor {_shown(name)} are no begin and end")
    elements = prod(shape)
    if elements * bits != (offsets[1] - offsets[0]) * 8:
        raise Refused(f"the tensor {_shown(name)} has not the bytes its shape needs")
    return offsets[0], offsets[1], elements


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(one) is int and one >= 0 for one in values)


def _contiguous(spans: list[tuple[int, int, str]], size: int) -> None:
    expected = 0
    for begin, end, name in spans:
        if begin != expected:
            how = "overlaps what is before it" if begin < expected else "leaves a gap"
            raise Refused(f"the tensor {_shown(name)} {how}")
        expected = end
    if expected > size:
        raise Refused(f"its tensors reach past the file's end ({expected} bytes, {size} left)")
    if expected < size:
        raise Refused(f"{size - expected} bytes follow the last tensor")


def _shown(name: str) -> str:
    return ascii(name[:60])

"""GGUF by its lengths: counts, strings, offsets and the end are all what they say they are.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Stricter: little-endian versions
2 and 3, no arrays in arrays, tensors in the order of their data, nothing between and nothing after.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from inland.adapters.weights.formats.window import Refused, Window

MAGIC = b"GGUF"
VERSIONS = frozenset({2, 3})
MAX_TENSORS = MAX_PAIRS = 65_535
MAX_KEY_BYTES, MAX_TENSOR_NAME_BYTES = 65_535, 255
MAX_STRING_BYTES = 16 << 20
MAX_ITEMS = 1 << 24
MAX_STRINGS = 1 << 22
MAX_DIMENSIONS = 4
DEFAULT_ALIGNMENT, MAX_ALIGNMENT = 32, 65_536
#: Of a text that is kept; no text of its first 200 characters has more.
_TEXT_BYTES = 800
_ALIGNMENT, _SPLIT = b"general.alignment", b"split.count"
_KEPT = frozenset({b"general.license", b"general.name", b"general.architecture", b"general.type"})
#: Bytes of each plain value type by its number; strings and arrays have lengths of their own.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_U32, _STRING, _ARRAY = 4, 8, 9

#: Of each tensor type by its number: elements of a block, and bytes of one.
Blocks = Mapping[int, tuple[int, int]]


class _Tensor(NamedTuple):
    name: bytes
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What its header says there is. `texts`: what it says of itself, by key, the beginnings."""

    tensors: int
    parameters: int
    texts: Mapping[str, str]


def check(window: Window, blocks: Blocks) -> Counts:
    """Refuse what is not exactly one GGUF."""
    if window.take(4, "the magic") != MAGIC:
        raise Refused("does not begin as GGUF")
    version = window.u32("the version")
    if version not in VERSIONS:
        raise Refused(f"is GGUF of version {version}; 2 and 3 are read")
    tensors = _count(window, "tensor", MAX_TENSORS, least_bytes=32)
    pairs = _count(window, "metadata pair", MAX_PAIRS, least_bytes=13)
    alignment, texts = _pairs(window, pairs)
    found, parameters = _tensors(window, tensors, blocks, alignment)
    _data(window, found, alignment)
    return Counts(tensors, parameters, texts)


def _count(window: Window, what: str, most: int, *, least_bytes: int) -> int:
    count = window.u64(f"the {what} count")
    if count > most:
        raise Refused(f"claims {count} {what}s; at most {most}")
    window.demand(count * least_bytes, f"{count} {what}s")
    return count


def _string(window: Window, what: str, most: int) -> bytes:
    found = window.take(_length(window, what, most), what)
    _decoded(found, what)
    return found


def _decoded(begins: bytes, what: str, *, is_whole: bool = True) -> str:
    """The text, of which a part may end within a character."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(begins, is_whole)
    except UnicodeDecodeError:
        raise Refused(f"{what} is not UTF-8") from None


def _length(window: Window, what: str, most: int) -> int:
    length = window.u64(f"the length of {what}")
    if length > most:
        raise Refused(f"{what} claims {length} bytes; at most {most}")
    return length


def _pairs(window: Window, count: int) -> tuple[int, dict[str, str]]:
    """Past the metadata; the alignment it sets, and the texts that are kept."""
    seen: set[bytes] = set()
    texts: dict[str, str] = {}
    alignment = DEFAULT_ALIGNMENT
    for _ in range(count):
        key = _string(window, "a metadata key", MAX_KEY_BYTES)
        if key in seen or not key:
            raise Refused(f"has the metadata key {_shown(key)} twice, or an empty one")
        seen.add(key)
        kind = window.u32("a value's type")
        if key == _ALIGNMENT:
            alignment = _alignment(window, kind)
        elif key == _SPLIT:
            _whole(window, kind)
        elif key in _KEPT and kind == _STRING:
            texts[key.decode()] = _text(window, f"the value of {_shown(key)}")
        else:
            _value(window, kind, f"the value of {_shown(key)}")
    return alignment, texts


def _alignment(window: Window, kind: int) -> int:
    value = window.u32("the alignment") if kind == _U32 else 0
    if not 8 <= value <= MAX_ALIGNMENT or value & (value - 1):
        raise Refused(f"its alignment {value} is not a power of two from 8 to {MAX_ALIGNMENT}")
    return value


def _whole(window: Window, kind: int) -> None:
    """Refuse one of several files: an engine would load the others, which nobody looked at."""
    data = window.take(_size(kind, "the count of splits"), "the count of splits")
    if int.from_bytes(data, "little") > 1:
        raise Refused("is one of several files that make one model; merge them first")


def _value(window: Window, kind: int, what: str) -> None:
    if kind == _STRING:
        window.skip(_length(window, what, MAX_STRING_BYTES), what)
    elif kind == _ARRAY:
        _array(window, what)
    else:
        window.skip(_size(kind, what), what)


def _text(window: Window, what: str) -> str:
    """How the text begins, and past all of it."""
    length = _length(window, what, MAX_STRING_BYTES)
    begins = window.take(min(length, _TEXT_BYTES), what)
    window.skip(length - len(begins), what)
    return _decoded(begins, what, is_whole=len(begins) == length)


def _array(window: Window, what: str) -> None:
    kind = window.u32("an array's type")
    count = window.u64("an array's length")
    if count > (MAX_STRINGS if kind == _STRING else MAX_ITEMS):
        raise Refused(f"{what} claims {count} items")
    if kind != _STRING:
        window.skip(count * _size(kind, what), what)
        return
    window.demand(count * 8, what)
    for _ in range(count):
        window.skip(_length(window, what, MAX_STRING_BYTES), what)


def _size(kind: int, what: str) -> int:
    size = _SIZES.get(kind)
    if size is None:
        raise Refused(f"{what} is of type {kind}, which is none here")
    return size


def _tensors(
    window: Window, count: int, blocks: Blocks, alignment: int
) -> tuple[list[_Tensor], int]:
    if not count:
        raise Refused("holds no tensor")
    found: list[_Tensor] = []
    names: set[bytes] = set()
    parameters = 0
    for _ in range(count):
        name = _string(window, "a tensor's name", MAX_TENSOR_NAME_BYTES)
        if name in names:
            raise Refused(f"has the tensor {_shown(name)} twice")
        names.add(name)
        elements, size = _shape(window, name, blocks)
        offset = window.u64("a tensor's offset")
        if offset % alignment:
            raise Refused(f"the tensor {_shown(name)} is not aligned to {alignment}")
        parameters += elements
        found.append(_Tensor(name, size, offset))
    return found, parameters


def _shape(window: Window, name: bytes, blocks: Blocks) -> tuple[int, int]:
    """Elements and bytes of a tensor."""
    dimensions = window.u32("a tensor's dimensions")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise Refused(f"the tensor {_shown(name)} claims {dimensions} dimensions")
    elements, first = 1, 0
    for number in range(dimensions):
        length = window.u64("a tensor's shape")
        first = first if number else length
        elements *= length
        if not 0 < elements <= window.size * 8:  # no type has less than a bit for each
            raise Refused(f"the shape of the tensor {_shown(name)} fits no file of this size")
    kind = window.u32("a tensor's type")
    if kind not in blocks:
        raise Refused(f"the tensor {_shown(name)} is of type {kind}, which is none known here")
    block, size = blocks[kind]
    if first % block:
        raise Refused(f"the tensor {_shown(name)} is not of whole blocks")
    return elements, elements // block * size


def _data(window: Window, tensors: list[_Tensor], alignment: int) -> None:
    """Tensors follow each other to the file's end; what pads them is zero."""
    _padding(window, alignment)
    begins, expected = window.at, 0
    for tensor in tensors:
        if tensor.offset != expected:
            how = "overlaps what is before it" if tensor.offset < expected else "leaves a gap"
            raise Refused(f"the tensor {_shown(tensor.name)} {how}")
        window.skip(tensor.size, f"the tensor {_shown(tensor.name)}")
        if window.left:
            _padding(window, alignment, begins)
        expected = -(-(tensor.offset + tensor.size) // alignment) * alignment
    if window.left:
        raise Refused(f"{window.left} bytes follow the last tensor")


def _padding(window: Window, alignment: int, begins: int = 0) -> None:
    count = min(-(window.at - begins) % alignment, window.left)
    if any(window.take(count, "padding")):
        raise Refused("holds bytes between its parts")


def _shown(name: bytes) -> str:
    return ascii(name[:60].decode("utf-8", "replace"))

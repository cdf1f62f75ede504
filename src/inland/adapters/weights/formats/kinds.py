"""What a file is, by its bytes; suffixes say nothing. Only two kinds are weights."""

import mmap
import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from inland.adapters.weights.formats.gguf import MAGIC
from inland.adapters.weights.formats.safetensors import MAX_HEADER_BYTES
from inland.adapters.weights.formats.window import Refused

if TYPE_CHECKING:
    import pickletools

HEAD_BYTES = 1 << 16
_TAR_AT, _TAR = 257, b"ustar"
#: Before it said so, a tar was known by its sum alone, in these bytes of its first block.
_TAR_BLOCK_BYTES, _TAR_SUM, _OCTAL = 512, slice(148, 156), re.compile(rb"\s*([0-7]+)(?![^\s\0])")
#: What HDF5 begins with: at the file's beginning, or at 512 bytes, 1024, and so on.
_HDF5, _HDF5_FIRST_AT = b"\x89HDF\r\n\x1a\n", 512
_ZIP_END, _ZIP_END_BYTES, _ZIP_COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
_ZIP_ENTRY = b"PK\x01\x02"
#: What stands right before the end record of an archive that says its places in 64 bits.
_ZIP64, _ZIP64_BYTES = b"PK\x06\x07", 20
#: How `pickletools` says that an argument is a line, or has a count of so many bytes before it.
_TO_NEWLINE, _COUNTED = -1, {-2: (1, False), -3: (4, True), -4: (4, False), -5: (8, False)}
#: Weights that are no pickle end within a few steps; one that goes on for so many is padded.
_MOST_STEPS = 1 << 20
#: Two lines, however long, that could name a module and what is in it; the last may be cut, and
#: one byte more with it.
_IMPORT = re.compile(rb"[\w.\x80-\xff]++\r?\n[\w.\x80-\xff]++\r?(?:\n|(?s:.)?\Z)")
_TEXTS = frozenset(
    "STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8".split()
)
#: What is put by for later, what asks for such, and what acts on what there is, or ends well.
_REMEMBERS = frozenset("PUT BINPUT LONG_BINPUT MEMOIZE".split())
_RECALLS = frozenset("GET BINGET LONG_BINGET".split())
_ACTS = frozenset(
    "REDUCE BUILD INST OBJ NEWOBJ NEWOBJ_EX APPEND APPENDS SETITEM SETITEMS ADDITEMS EXT1 EXT2 EXT4"
    " PERSID BINPERSID NEXT_BUFFER READONLY_BUFFER STOP".split()
)
_PICKLED = "runs code when it is loaded"
_AS_WELL = f"is a pickle as well, which {_PICKLED}; weights are GGUF or safetensors"
_LAYERS = "HDF5, whose layers may hold code"
#: How files begin that are often given for weights, and what they are.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", f"a NumPy array, which may hold pickled objects: one that does {_PICKLED}"),
    (b"\x1f\x8b", "compressed (gzip); joblib's pickles look like this"),
    (b"\x78\x01", "compressed (zlib); joblib's pickles look like this"),
    (b"\x78\x5e", "compressed (zlib); joblib's pickles look like this"),
    (b"\x78\x9c", "compressed (zlib); joblib's pickles look like this"),
    (b"\x78\xda", "compressed (zlib); joblib's pickles look like this"),
    (b"ZF", "compressed (an old joblib file)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ\x00", "compressed (xz)"),
    (b"\x5d\x00\x00", "compressed (lzma)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"\x04\x22\x4d\x18", "compressed (lz4)"),
    (_HDF5, _LAYERS),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"ggml", "GGML, which came before GGUF"),
    (b"ggjt", "GGML, which came before GGUF"),
    (b"version https://git-lfs", "a Git LFS pointer, and not the file it stands for"),
    (b"<", "a page or XML, not the file that was asked for"),
)


class Kind(StrEnum):
    """The kinds of weights that are taken in."""

    GGUF = "gguf"
    SAFETENSORS = "safetensors"


def kind_of(descriptor: int, size: int) -> Kind:
    """Which kind of weights the file is. Refuses by name whatever else it is."""
    return kind_begun(os.pread(descriptor, HEAD_BYTES, 0), _as_well(descriptor, size))


def kind_begun(head: bytes, as_well: str | None = None) -> Kind:
    """Which kind of weights begins with `head`, all there is of it up to HEAD_BYTES. Refuses by
    name whatever else it is, or is `as_well`."""
    if not head:
        raise Refused("is empty")
    refused = _named(head) or as_well
    if refused is not None:
        raise Refused(f"is {refused}; weights are GGUF or safetensors")
    if head.startswith(MAGIC):
        return Kind.GGUF
    if _begins_as_safetensors(head):
        return Kind.SAFETENSORS
    raise Refused("is neither GGUF nor safetensors; it is not known what it is")


def _as_well(descriptor: int, size: int) -> str | None:
    """What else it can be opened as, whatever it begins with."""
    if is_ended_by_zip(descriptor, size):
        return "a zip archive as well: it can be opened as either"
    if _is_hdf5(descriptor, size):
        return f"{_LAYERS}, as well: it can be opened as either"
    return None


def other_than_weights(descriptor: int, size: int) -> str | None:
    """None for what begins as weights do; else what it is instead, empty where nobody knows."""
    head = os.pread(descriptor, HEAD_BYTES, 0)
    if head.startswith(MAGIC) or _begins_as_safetensors(head):
        return None
    return _named(head) or _as_well(descriptor, size) or ""


def is_ended_by_zip(descriptor: int, size: int) -> bool:
    """Whether an archive's directory ends where the file does, or lies where its end says.

    One that says it in 64 bits is an archive wherever that is.
    """
    begins = max(0, size - _ZIP_END_BYTES - _ZIP_COMMENT_BYTES)
    tail = os.pread(descriptor, size - begins, begins)
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        record = tail[at : at + _ZIP_END_BYTES]
        if len(record) == _ZIP_END_BYTES:
            length, offset, comment = struct.unpack("<IIH", record[-10:])
            if at + _ZIP_END_BYTES + comment == len(tail):
                return True
            places = {offset, begins + at - length}  # readers allow for bytes before the archive
            if any(_stands(_ZIP_ENTRY, descriptor, one) for one in places):
                return True
            if _stands(_ZIP64, descriptor, begins + at - _ZIP64_BYTES):
                return True
        at = tail.rfind(_ZIP_END, 0, at)
    return False


def _is_hdf5(descriptor: int, size: int) -> bool:
    at = _HDF5_FIRST_AT
    while at < size:
        if os.pread(descriptor, len(_HDF5), at) == _HDF5:
            return True
        at *= 2
    return False


def _is_old_tar(block: bytes) -> bool:
    """Whether `tarfile` takes it for a header, or its sum is its bytes', be they signed or not."""
    import tarfile  # noqa: PLC0415 - only who looks at weights needs it

    if len(block) < _TAR_BLOCK_BYTES:
        return False
    with suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        return True
    told = _OCTAL.match(block[_TAR_SUM])
    blank = b" " * (_TAR_SUM.stop - _TAR_SUM.start)
    summed = block[: _TAR_SUM.start] + blank + block[_TAR_SUM.stop :]
    sums = sum(summed), sum(struct.unpack(f"{len(summed)}b", summed))
    return told is not None and int(told[1], 8) in sums


def _stands(mark: bytes, descriptor: int, at: int) -> bool:
    return at >= 0 and os.pread(descriptor, len(mark), at) == mark


def demand_no_pickle(descriptor: int) -> None:
    """Refuse weights that pickle could be carried through from their first byte to an import."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as data:
        demand_no_import(data)


def demand_no_import(data: mmap.mmap | bytes) -> None:
    """Refuse bytes that pickle could be carried through from the first of them to an import."""
    if any(imports for _, imports in _steps(data)):
        raise Refused(_AS_WELL)


def demand_no_call(data: bytes) -> None:
    """Refuse bytes that pickle could be carried through to an import and then to the end, or to
    what calls or changes what was imported. An instruction that lacks what it takes ends every
    unpickler: how much there is, is never counted too low."""
    there = marks = 0
    imported = remembered = False
    for opcode, imports in _steps(data):
        takes = [one.name for one in opcode.stack_before]
        above = "mark" in takes  # and all that is above it
        fixed = len(takes) - 2 * above
        if there < fixed or marks < above or (opcode.name in _RECALLS and not remembered):
            return
        imported = imported or imports
        if imported and opcode.name in _ACTS:
            raise Refused(_AS_WELL)
        remembered = remembered or opcode.name in _REMEMBERS
        there += len(opcode.stack_after) - fixed
        marks += (opcode.name == "MARK") - above


def _steps(data: mmap.mmap | bytes) -> "Iterator[tuple[pickletools.OpcodeInfo, bool]]":
    """The instructions that pickle could be carried through, and which of them import. Refuses
    more of them than anything but a pickle has.

    Arguments are passed over by their lengths alone: whatever an unpickler could read, is read.
    """
    import pickletools  # noqa: PLC0415 - the table of instructions; it cannot load them

    opcodes = {one.code: one for one in pickletools.opcodes}
    at, texts = 0, 0
    for _ in range(_MOST_STEPS):
        opcode = opcodes.get(chr(data[at])) if at < len(data) else None
        if opcode is None:
            return
        if opcode.name in {"GLOBAL", "INST"}:
            named = _IMPORT.match(data, at + 1)
            if named is None:
                return  # nothing can be imported by such a name: an unpickler ends here
            yield opcode, True
            at = named.end()
            continue
        yield opcode, opcode.name == "STACK_GLOBAL" and texts > 0
        texts += opcode.name in _TEXTS
        at = _after(data, at + 1, opcode.arg.n if opcode.arg else 0)
    raise Refused(_AS_WELL)


def _after(data: mmap.mmap | bytes, at: int, length: int) -> int:
    """Where an argument that begins at `at` ends, by what `pickletools` says of its length."""
    if length >= 0:
        return at + length
    if length == _TO_NEWLINE:
        found = data.find(b"\n", at)
        return len(data) if found < 0 else found + 1
    width, signed = _COUNTED[length]
    count = int.from_bytes(data[at : at + width], "little", signed=signed)
    return at + width + count if count >= 0 else len(data)


def _named(head: bytes) -> str | None:
    """What it is instead, where that can be told."""
    if head.startswith(b"PK\x03\x04"):
        pickled = b"data.pkl" in head or b".pkl" in head
        what = f"a PyTorch file: a zip of pickles, which {_PICKLED}"
        return what if pickled else "a zip archive"
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR or _is_old_tar(head[:_TAR_BLOCK_BYTES]):
        return "a tar archive"
    if head.startswith(MAGIC) or _begins_as_safetensors(head):
        return None  # the length of a header may look like how something else begins
    for beginning, what in _BEGINNINGS:
        if head.startswith(beginning):
            return what
    return f"a pickle, which {_PICKLED}" if _is_pickle(head) else None


def _begins_as_safetensors(head: bytes) -> bool:
    if len(head) < 9:
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return 2 <= length <= MAX_HEADER_BYTES and head[8:9] == b"{"


def _is_pickle(head: bytes) -> bool:
    """Whether a run of pickle's instructions begins it. They are read, never carried out."""
    import pickletools  # noqa: PLC0415 - reads the instructions' names; it cannot load them

    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    seen = 0
    try:
        for opcode, _, _ in pickletools.genops(head):
            seen += 1
            if opcode.name == "STOP":
                return seen > 1
    except Exception:  # noqa: BLE001 - it is none; a cut one that began well is one
        return seen >= _ENOUGH
    return False


#: So many of pickle's instructions in a row are no accident.
_ENOUGH = 16

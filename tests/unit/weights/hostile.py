"""Files that are no clean weights, each with what it must be refused for. Made by code, seeded."""

import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

_F32, _STRING, _U32 = 0, 8, 4


class Payload:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return (print, ("it ran",))


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, value: str) -> bytes:
    return text(key) + struct.pack("<I", _STRING) + text(value)


def tensor(name: str, dims: tuple[int, ...], offset: int, kind: int = _F32) -> bytes:
    shape = struct.pack(f"<{len(dims)}Q", *dims)
    return text(name) + struct.pack("<I", len(dims)) + shape + struct.pack("<IQ", kind, offset)


def gguf(
    pairs: tuple[bytes, ...] = (pair("general.license", "mit"),),
    tensors: tuple[bytes, ...] = (tensor("t", (8,), 0),),
    data: bytes = bytes(32),
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A GGUF of these parts; honest unless told otherwise."""
    said = (len(tensors), len(pairs)) if counts is None else counts
    head = b"GGUF" + struct.pack("<IQQ", version, *said) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


def safetensors(header: Any = None, data: bytes = bytes(32), *, length: int | None = None) -> bytes:
    """A safetensors file; honest unless told otherwise."""
    if header is None:
        header = {"__metadata__": {"license": "mit"}, "t": entry([8], 0, 32)}
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(shape: Any, begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


def zip64_inside(before: int) -> bytes:
    """Data that holds a zip64 archive, its places told from the beginning of a file in which it
    has `before` bytes before it, and a few bytes more behind it."""
    archive = zipped("data.pkl", pickle.dumps(Payload()))
    at = archive.rfind(b"PK\x05\x06")
    count, size, offset = struct.unpack("<HII", archive[at + 10 : at + 20])
    places = (count, count, size, before + offset)
    end64 = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, *places)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, before + at, 1)
    unsaid = (count, count, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *unsaid)
    return (archive[:at] + end64 + locator + end + b"some more").ljust(512, b"x")


def tarred(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def numpy_objects() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([Payload()], dtype=object), allow_pickle=True)
    return out.getvalue()


def _compressed() -> bytes:
    import zlib

    return zlib.compress(pickle.dumps(Payload()))


def padded() -> bytes:
    """A GGUF with code between its header and its tensors."""
    whole = gguf()
    return whole[:-33] + b"X" + whole[-32:]


def _aligned(data: bytes) -> bytes:
    return bytes(-len(data) % 32) + data


def of_old_tar() -> bytes:
    """A safetensors whose first block is a header of the tar that came before `ustar`."""
    begin = b'{"__metadata__":{"x":"'
    block = bytearray(struct.pack("<Q", 8 * 512 - 8) + begin.ljust(504))
    block[100:148] = b"0000644 0000000 0000000 00000000010 00000000000 "
    block[148:156] = b"        "
    block[148:156] = b"%06o  " % sum(block)
    rest = b'"},"t":%s}' % json.dumps(entry([8], 0, 32)).encode()
    return bytes(block) + rest.ljust(8 * 512 - 512) + bytes(32)


def of_tar_summed(as_number: bool) -> bytes:
    """A GGUF that is an old tar of a pickle too: its sum is a number in base 256, or a signed one.

    One of its metadata's texts reaches over all of the tar.
    """
    said = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + text("k") + struct.pack("<I", _STRING)
    tar = bytearray(512) + tarred("data.pkl", pickle.dumps(Payload()))
    said += struct.pack("<Q", len(tar) - len(said) - 8)
    tar[: len(said)] = said
    tar[100:148] = b"0000644 0000000 0000000 00000000000 00000000000 "
    tar[156:157] = b"0"
    tar[200:210] = b"\xff" * 10
    tar[148:156] = b"        "
    block = tar[:512]
    signed = sum(struct.unpack("512b", block))
    tar[148:156] = b"\x80" + sum(block).to_bytes(7, "big") if as_number else b"%06o\0 " % signed
    head = bytes(tar) + tensor("t", (8,), 0)
    return head + bytes(-len(head) % 32) + bytes(32)


def of_long_name() -> bytes:
    """A safetensors that is a pickle too: what it imports has a name of more than a thousand bytes.

    Its header's length is read as a text up to the first newline, which its data begins with.
    """
    name = b"print" + b".__call__" * 130
    data = (b"\n\x80\x04cbuiltins\n" + name + b'\n(S"it ran"\ntR.').ljust(2048)
    header = json.dumps({"t": entry([len(data)], 0, len(data), "U8")}).encode()
    return safetensors(header.ljust(0x156), data)


def hdf5_at(at: int, size: int) -> bytes:
    """Data in which HDF5's mark stands at `at`."""
    data = bytearray(size)
    data[at : at + 8] = b"\x89HDF\r\n\x1a\n"
    return bytes(data)


_ZIP = _aligned(zipped("a", b"a"))
_TWO = entry([8], 0, 32)
#: Name → (its bytes, what the refusal must say).
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "pickle": (lambda: pickle.dumps(Payload()), "a pickle"),
    "pickle of protocol 0": (lambda: pickle.dumps(Payload(), 0), "a pickle"),
    "pickle of protocol 1": (lambda: pickle.dumps({"a": [1, 2]}, 1), "a pickle"),
    "torch zip": (
        lambda: zipped("archive/data.pkl", pickle.dumps(Payload())),
        "zip of pickles",
    ),
    "zip": (lambda: zipped("a.txt", b"a"), "a zip archive"),
    "joblib, compressed": (_compressed, "compressed"),
    "numpy objects": (numpy_objects, "NumPy"),
    "tar of a pickle": (lambda: tarred("data.pkl", pickle.dumps(Payload())), "a tar archive"),
    "script": (lambda: b"#!/bin/sh\nrm -rf /\n", "a script"),
    "program": (lambda: b"\x7fELF" + bytes(100), "a program"),
    "page": (lambda: b"<!DOCTYPE html><title>sign in</title>", "a page"),
    "lfs pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "LFS pointer"),
    "empty": (lambda: b"", "empty"),
    "noise": (lambda: random.Random(7).randbytes(4096), "neither"),
    "safetensors, code behind": (lambda: safetensors(data=bytes(32) + b"import os"), "follow"),
    "safetensors, a zip behind": (lambda: safetensors() + zipped("a", b"a"), "zip archive as"),
    "safetensors, overlapping": (
        lambda: safetensors({"a": _TWO, "b": entry([8], 16, 48)}, bytes(48)),
        "overlaps",
    ),
    "safetensors, a gap": (
        lambda: safetensors({"a": _TWO, "b": entry([8], 40, 72)}, bytes(72)),
        "gap",
    ),
    "safetensors, begins late": (lambda: safetensors({"a": entry([8], 8, 40)}, bytes(40)), "gap"),
    "safetensors, cut": (lambda: safetensors()[:-1], "reach past"),
    "safetensors, huge header": (
        lambda: safetensors(length=99_000_000) + bytes(10),
        "past the file's end",
    ),
    "safetensors, header of 2^63": (lambda: safetensors(length=1 << 63), "neither"),
    "safetensors, a name twice": (
        lambda: safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(_TWO).encode(),) * 2)),
        "given twice",
    ),
    "safetensors, deep": (lambda: safetensors(b'{"a":' + b"[" * 90_000), "header"),
    "safetensors, wrong bytes": (lambda: safetensors({"a": entry([9], 0, 32)}), "shape needs"),
    "safetensors, negative": (lambda: safetensors({"a": entry([-8, -1], 0, 32)}), "no list"),
    "safetensors, floats": (lambda: safetensors({"a": entry([8.0], 0, 32)}), "no list"),
    "safetensors, true": (lambda: safetensors({"a": entry([True], 0, 4)}, bytes(4)), "no list"),
    "safetensors, endless shape": (
        lambda: safetensors({"a": entry([1] * 99, 0, 4)}, bytes(4)),
        "no list",
    ),
    "safetensors, end before begin": (lambda: safetensors({"a": entry([8], 32, 0)}), "offsets"),
    "safetensors, unknown type": (lambda: safetensors({"a": entry([8], 0, 32, "X9")}), "type"),
    "safetensors, more fields": (lambda: safetensors({"a": {**_TWO, "code": "x"}}), "exactly"),
    "safetensors, metadata of objects": (
        lambda: safetensors({"__metadata__": {"a": {}}, "a": _TWO}),
        "metadata",
    ),
    "safetensors, no tensor": (lambda: safetensors({}, b""), "0 tensors"),
    "gguf, of a zip too": (lambda: gguf() + zipped("a", b"a"), "zip archive as"),
    "gguf, a zip inside": (
        lambda: gguf(tensors=(tensor("t", (len(_ZIP) // 4,), 0),), data=_ZIP),
        "zip archive as",
    ),
    "gguf, a zip64 inside": (
        lambda: gguf(tensors=(tensor("t", (128,), 0),), data=zip64_inside(96)),
        "zip archive as",
    ),
    "safetensors, a zip64 inside": (
        lambda: safetensors(
            json.dumps({"t": entry([512], 0, 512, "U8")}).encode().ljust(88), zip64_inside(96)
        ),
        "zip archive as",
    ),
    "gguf, code behind": (lambda: gguf(data=bytes(32) + b"import os"), "follow"),
    "gguf, version 1": (lambda: gguf(version=1), "version 1"),
    "gguf, other endian": (lambda: gguf(version=3 << 24), "version"),
    "gguf, 2^60 pairs": (lambda: gguf(counts=(1, 1 << 60)), "metadata pairs"),
    "gguf, 2^60 tensors": (lambda: gguf(counts=(1 << 60, 1)), "tensors"),
    "gguf, more pairs than there are": (lambda: gguf(counts=(1, 40)), "past the file's end"),
    "gguf, string of 2^63": (
        lambda: gguf((text("k") + struct.pack("<IQ", _STRING, 1 << 63),)),
        "claims 9223372036854775808",
    ),
    "gguf, key of 2^63": (lambda: gguf((struct.pack("<Q", 1 << 63),)), "claims"),
    "gguf, string past the end": (
        lambda: gguf((text("k") + struct.pack("<IQ", _STRING, 1 << 23),)),
        "past the file's end",
    ),
    "gguf, array of 2^61": (
        lambda: gguf((text("k") + struct.pack("<IIQ", 9, _U32, 1 << 61),)),
        "items",
    ),
    "gguf, array in an array": (
        lambda: gguf((text("k") + struct.pack("<IIQ", 9, 9, 1) + bytes(64),)),
        "type 9",
    ),
    "gguf, unknown value": (lambda: gguf((text("k") + struct.pack("<I", 77),)), "type 77"),
    "gguf, a key twice": (lambda: gguf((pair("a", "b"), pair("a", "c"))), "twice"),
    "gguf, dims overflow": (
        lambda: gguf(tensors=(tensor("t", (1 << 33, 1 << 31), 0),)),
        "fits no file",
    ),
    "gguf, a dim of none": (lambda: gguf(tensors=(tensor("t", (0,), 0),)), "fits no file"),
    "gguf, nine dims": (lambda: gguf(tensors=(tensor("t", (1,) * 9, 0),)), "9 dimensions"),
    "gguf, unknown tensor type": (
        lambda: gguf(tensors=(tensor("t", (8,), 0, 999),)),
        "type 999",
    ),
    "gguf, a tensor twice": (
        lambda: gguf(tensors=(tensor("t", (8,), 0), tensor("t", (8,), 32)), data=bytes(64)),
        "twice",
    ),
    "gguf, overlapping": (
        lambda: gguf(tensors=(tensor("a", (8,), 0), tensor("b", (8,), 0)), data=bytes(32)),
        "overlaps",
    ),
    "gguf, a gap": (
        lambda: gguf(tensors=(tensor("a", (8,), 0), tensor("b", (8,), 64)), data=bytes(96)),
        "gap",
    ),
    "gguf, offset of 2^63": (lambda: gguf(tensors=(tensor("a", (8,), 1 << 63),)), "gap"),
    "gguf, not aligned": (lambda: gguf(tensors=(tensor("a", (8,), 4),)), "aligned"),
    "gguf, an alignment of 3": (
        lambda: gguf((text("general.alignment") + struct.pack("<II", _U32, 3),)),
        "alignment",
    ),
    "gguf, an alignment of 2^31": (
        lambda: gguf((text("general.alignment") + struct.pack("<II", _U32, 1 << 31),)),
        "alignment",
    ),
    "gguf, cut": (lambda: gguf()[:-1], "past the file's end"),
    "gguf, cut in its header": (lambda: gguf()[:40], "past the file's end"),
    "gguf, the magic alone": (lambda: b"GGUF", "past the file's end"),
    "gguf, padding with code": (padded, "between its parts"),
    "safetensors, a field twice": (
        lambda: safetensors(
            b'{"a":{"dtype":"F32","dtype":"F32","shape":[8],"data_offsets":[0,32]}}'
        ),
        "given twice",
    ),
    "safetensors, metadata twice": (
        lambda: safetensors(
            b'{"__metadata__":{},"__metadata__":{"x":"y"},"a":%s}' % json.dumps(_TWO).encode()
        ),
        "given twice",
    ),
    "safetensors, offsets of 2^63": (
        lambda: safetensors({"a": entry([8], 1 << 63, (1 << 63) + 32)}),
        "gap",
    ),
    "safetensors, offsets of a thousand digits": (
        lambda: safetensors({"a": entry([8], 0, 10**1000)}),
        "header cannot be read|shape needs",
    ),
    "safetensors, a shape that wraps": (
        lambda: safetensors({"a": entry([1 << 40, 1 << 40], 0, 32)}),
        "shape needs",
    ),
    "safetensors, half a byte": (
        lambda: safetensors({"a": entry([3], 0, 1, "F4")}, bytes(1)),
        "shape needs",
    ),
    "safetensors, half of a pair": (
        lambda: safetensors(b'{"\\ud800":%s}' % json.dumps(_TWO).encode()),
        "header cannot be read",
    ),
    "safetensors, no number": (
        lambda: safetensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,32]}}'),
        "header cannot be read|no list",
    ),
    "safetensors, a zip of a pickle in its header": (
        lambda: safetensors(
            json.dumps({"a": _TWO}).encode() + zipped("data.pkl", pickle.dumps(Payload()))
        ),
        "zip archive as",
    ),
    "safetensors, a mark before its header": (
        lambda: safetensors(b"\xef\xbb\xbf" + json.dumps({"a": _TWO}).encode()),
        "neither",
    ),
    "safetensors, an old tar too": (lambda: of_old_tar(), "a tar archive"),  # noqa: PLW0108
    "safetensors, a pickle of a long name": (lambda: of_long_name(), "a pickle"),  # noqa: PLW0108
    "gguf, an old tar with its sum in base 256": (lambda: of_tar_summed(True), "a tar archive"),
    "gguf, an old tar with a signed sum": (lambda: of_tar_summed(False), "a tar archive"),
    "safetensors, HDF5 behind 1024 bytes": (
        lambda: safetensors(
            json.dumps({"a": entry([2048], 0, 2048, "U8")}).encode().ljust(200),
            hdf5_at(1024 - 208, 2048),
        ),
        "HDF5",
    ),
    "gguf, HDF5 behind 512 bytes": (
        lambda: gguf(tensors=(tensor("t", (256,), 0),), data=hdf5_at(512 - 96, 1024)),
        "HDF5",
    ),
    "gguf, four million strings": (
        lambda: gguf((text("k") + struct.pack("<IIQ", 9, _STRING, (1 << 22) + 1),)),
        "items",
    ),
    "gguf, a string of 2^63 in an array": (
        lambda: gguf(
            (
                text("k")
                + struct.pack("<IIQ", 9, _STRING, 2)
                + text("a")
                + struct.pack("<Q", 1 << 63),
            )
        ),
        "claims 9223372036854775808",
    ),
    "gguf, an alignment of 0": (
        lambda: gguf((text("general.alignment") + struct.pack("<II", _U32, 0),)),
        "alignment",
    ),
    "gguf, an alignment in words": (lambda: gguf((pair("general.alignment", "32"),)), "alignment"),
    "gguf, an alignment it does not keep": (
        lambda: gguf(
            (text("general.alignment") + struct.pack("<II", _U32, 64),),
            (tensor("a", (8,), 0), tensor("b", (8,), 32)),
            bytes(64),
        ),
        "aligned",
    ),
    "gguf, a tensor's name of 2^63": (
        lambda: gguf(tensors=(struct.pack("<Q", 1 << 63) + bytes(64),)),
        "claims 9223372036854775808",
    ),
    "gguf, dims that wrap to few": (
        lambda: gguf(tensors=(tensor("t", (1 << 32, 1 << 32, 1, 8), 0),)),
        "fits no file",
    ),
    "gguf, an offset that wraps": (
        lambda: gguf(tensors=(tensor("t", (8,), (1 << 64) - 32),)),
        "gap",
    ),
    "gguf, half a block": (lambda: gguf(tensors=(tensor("t", (33,), 0, 2),)), "whole blocks"),
    "gguf, a type that is no more": (lambda: gguf(tensors=(tensor("t", (32,), 0, 4),)), "type 4"),
    "gguf, backwards": (lambda: b"FUGG" + gguf()[4:], "neither"),
    "gguf, no tensor": (lambda: gguf(tensors=(), data=b""), "no tensor"),
}


def mutated(good: bytes, seed: int) -> bytes:
    """`good` with a few bytes or a length changed, by chance."""
    chance, data = random.Random(seed), bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + 8] = struct.pack("<Q", chance.choice(_LENGTHS))
            case 2:
                del data[at : at + chance.randint(1, 40)]
            case _:
                data[at:at] = chance.randbytes(chance.randint(1, 40))
        if not data:
            return b""
    return bytes(data)


_LENGTHS = (0, 1, 31, 255, 1 << 16, 1 << 24, (1 << 31) - 1, 1 << 32, 1 << 60, (1 << 64) - 1)

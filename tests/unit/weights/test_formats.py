"""Only what is exactly one GGUF or one safetensors file is taken for one; each other is named."""

import io
import json
import os
import pickle
import random
import re
import struct
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Self

import pytest
from gguf.constants import GGML_QUANT_SIZES

from inland.adapters.weights.formats import gguf, safetensors
from inland.adapters.weights.formats.kinds import (
    Kind,
    demand_no_call,
    demand_no_pickle,
    kind_of,
)
from inland.adapters.weights.formats.window import Refused, Window
from inland.adapters.weights.inspector import inspected
from inland.adapters.weights.opened import opened
from tests.unit.weights import hostile

BLOCKS = {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}


def checked(path: Path) -> Kind:
    """As the inspecting child does, without its libraries."""
    with opened(path) as file:
        kind = kind_of(file.descriptor, file.size)
        demand_no_pickle(file.descriptor)
        window = Window(file.descriptor, file.size)
        if kind is Kind.GGUF:
            gguf.check(window, BLOCKS)
        else:
            safetensors.check(window)
        return kind


@pytest.mark.parametrize("name", hostile.FILES)
@pytest.mark.parametrize("suffix", [".gguf", ".safetensors"])
def test_what_is_no_clean_weights_is_refused_by_name(
    name: str, suffix: str, tmp_path: Path
) -> None:
    make, why = hostile.FILES[name]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(make())
    with pytest.raises(Refused, match=why):
        checked(path)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.GGUF, hostile.gguf()),
        (Kind.GGUF, hostile.gguf(version=2)),
        (
            Kind.GGUF,
            hostile.gguf(
                tensors=(hostile.tensor("a", (3,), 0), hostile.tensor("b", (8,), 32)),
                data=bytes(64),
            ),
        ),
        (Kind.SAFETENSORS, hostile.safetensors()),
        (
            Kind.SAFETENSORS,
            hostile.safetensors(
                {"b": hostile.entry([2, 0], 4, 4), "a": hostile.entry([4], 0, 4, "U8")}, bytes(4)
            ),
        ),
    ],
)
def test_clean_weights_are_known_whatever_they_are_called(
    kind: Kind, data: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    assert checked(path) is kind


def test_what_is_no_plain_whole_file_is_not_opened(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_bytes(hostile.gguf())
    (tmp_path / "link").symlink_to(good)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.write(hostile.safetensors(data=b""))
        sparse.truncate(1 << 40)
    reasons = {"link": "a link", "fifo": "no plain", "folder": "not a plain", "sparse": "holes"}
    for name, why in {**reasons, "fifo": "not a plain", "nothing": "there is no"}.items():
        with pytest.raises(Refused, match=why):
            checked(tmp_path / name)


def test_no_change_by_chance_breaks_the_checks_or_passes_as_an_archive() -> None:
    """They end with yes or no, whatever the bytes; what they pass no zip reader opens."""
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        for seed in range(3000):
            good = hostile.gguf() if seed % 2 else hostile.safetensors()
            path.write_bytes(hostile.mutated(good, seed))
            try:
                checked(path)
            except Refused:
                continue
            assert not zipfile.is_zipfile(path)


RUNS = b"\n" + pickle.dumps(hostile.Payload(), 0)
TENSOR = {"t": hostile.entry([len(RUNS)], 0, len(RUNS), "U8")}


def of_length(length: int, header: dict) -> bytes:
    """A header of exactly so many bytes, as the format lets it be padded."""
    raw = json.dumps(header).encode()
    return raw.ljust(length)


def test_weights_that_are_a_pickle_too_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    length = 0x70  # "p": a line is passed over, to the first newline
    raw = of_length(length, TENSOR)
    path.write_bytes(hostile.safetensors(raw, RUNS, length=length))
    safetensors_alone(path)
    with path.open("rb") as file, pytest.raises(Refused, match="pickle"):
        demand_no_pickle(file.fileno())
    name = tmp_path / "model.gguf"  # "G" is a number of eight bytes; "X" a text over the rest
    data = b"GGUF" + struct.pack("<IB", 3, 0) + b"X" + struct.pack("<I", 3) + b"abc" + RUNS[1:]
    assert pickle.loads(data) is None  # noqa: S301 - ours
    assert "it ran" in capsys.readouterr().out
    name.write_bytes(data)
    with name.open("rb") as file, pytest.raises(Refused, match="pickle"):
        demand_no_pickle(file.fileno())
    name.write_bytes(b"G" * 9 * (1 << 20))
    with name.open("rb") as file, pytest.raises(Refused, match="pickle"):
        demand_no_pickle(file.fileno())


def test_weights_that_import_by_a_name_of_any_length_are_a_pickle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(hostile.of_long_name())
    safetensors_alone(path)
    assert pickle.loads(path.read_bytes()) is None  # noqa: S301 - ours
    assert "it ran" in capsys.readouterr().out
    with path.open("rb") as file, pytest.raises(Refused, match="pickle"):
        demand_no_pickle(file.fileno())


class _Acted(BaseException):
    """What was imported was called, changed or handed over."""


class _Telling(type):
    """Of a class that tells of all that is done to it."""

    def _act(cls, *_given: object, **_named: object) -> None:
        raise _Acted

    __call__ = __setstate__ = __setitem__ = append = extend = add = update = _act


class _Imported(metaclass=_Telling):
    """Stands for whatever is imported."""

    def __new__(cls, *_given: object, **_named: object) -> Self:
        raise _Acted


def _found(module: str, name: str) -> object:
    if not re.fullmatch(r"[\w.]+", module) or not re.fullmatch(r"[\w.]+", name):
        raise ImportError
    return _Imported


class _Loader(pickle._Unpickler):  # the one that is Python
    def find_class(self, module: str, name: str) -> object:
        return _found(module, name)


class _LoaderOfC(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        return _found(module, name)


def _acts(loader: type, data: bytes) -> bool:
    """Whether it comes to its end with what it imported, or to doing something with it."""
    try:
        found = loader(io.BytesIO(data)).load()
    except _Acted:
        return True
    except Exception:  # noqa: BLE001 - it is no pickle
        return False
    return "_Imported" in repr(found)


def test_what_pickle_could_do_with_what_it_imports_is_refused_whatever_comes_after() -> None:
    chance, refused, taken = random.Random(3), 0, 0
    words = [b"ca\nb\n", b"ia\nb\n", b"Va\n", b"p0\n", b"g0\n", b"q\0", b"h\0", b"I1\n", b"K1"]
    words += [bytes([one]) for one in b"()]}.NRabdeilostu012\x81\x85\x86\x87\x8f\x90\x92\x93\x94zp"]
    for _ in range(20_000):
        more = chance.choices(words, k=chance.randint(1, 8))
        data = chance.choice([b"", b"(", b"ca\nb\n", b"(ca\nb\n"]) + b"".join(more)
        acts = any(_acts(loader, data) for loader in (_Loader, _LoaderOfC))
        try:
            demand_no_call(data)
        except Refused:
            refused += acts
        else:
            taken += 1
            assert not acts, data
    assert refused > 100
    assert taken > 300


def safetensors_alone(path: Path) -> None:
    with opened(path) as file:
        safetensors.check(Window(file.descriptor, file.size))


@pytest.mark.parametrize("length", [93, 120, 376, 8223, 24_184, 40_056])
def test_a_headers_length_may_look_like_how_something_else_begins(length: int, tmp_path: Path):
    """As zlib, gzip and lzma begin, or a script."""
    path = tmp_path / "model.safetensors"
    header = json.dumps({"t": hostile.entry([32], 0, 32, "U8")}).encode().ljust(length)
    path.write_bytes(hostile.safetensors(header, bytes(32), length=length))
    with path.open("rb") as file:
        assert kind_of(file.fileno(), path.stat().st_size) is Kind.SAFETENSORS
    safetensors_alone(path)


def test_honest_weights_of_any_header_length_are_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    chance = random.Random(5)
    for number in range(3000):
        raw = json.dumps({f"model.layers.{number}.weight": hostile.entry([4096], 0, 4096, "U8")})
        length = len(raw) + number if number < 1500 else 0x58 + 256 * chance.randint(1, 200)
        header = raw.encode().ljust(length)
        path.write_bytes(hostile.safetensors(header, chance.randbytes(4096), length=length))
        safetensors_alone(path)
        with path.open("rb") as file:
            demand_no_pickle(file.fileno())


@pytest.mark.parametrize("prefixed", [False, True])
def test_an_archive_before_a_few_bytes_more_is_found(prefixed: bool, tmp_path: Path) -> None:
    archive = hostile.zipped("a.pkl", b"x" * 100)
    before = bytes(64) if prefixed else b""
    size = len(before) + len(archive) + 9
    header = {"t": hostile.entry([size], 0, size, "U8")}
    path = tmp_path / "model.safetensors"
    path.write_bytes(hostile.safetensors(header, before + archive + b"some more"))
    with pytest.raises(Refused, match="zip archive as well"):
        checked(path)


def test_what_a_gguf_says_of_itself_is_kept_short_and_no_more_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    items = hostile.text("k") + struct.pack("<IIQ", 9, 0, 1 << 24) + bytes(1 << 24)
    number = hostile.text("general.architecture") + struct.pack("<II", 4, 7)
    name = hostile.pair("general.name", "港" * 100_000)
    role = hostile.pair("general.type", "adapter")
    path.write_bytes(hostile.gguf((items, number, name, role)))
    with opened(path) as file:
        begun = time.process_time()
        said = inspected(file.descriptor, file.size, path)
        assert time.process_time() - begun < 2
    assert (said["role"], said["name"]) == ("adapter", "港" * 200)
    assert (said["architecture"], said["licence"]) == ("", "")


def test_what_a_gguf_calls_things_is_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    broken = struct.pack("<Q", 2) + b"\xff\xfe"
    named = hostile.gguf().replace(hostile.text("t"), struct.pack("<Q", 1) + b"\xff", 1)
    for whole, what in (
        (hostile.gguf((hostile.text("general.license") + struct.pack("<I", 8) + broken,)), "value"),
        (hostile.gguf((broken + struct.pack("<IB", 0, 1),)), "key"),
        (named, "name"),
    ):
        path.write_bytes(whole)
        with opened(path) as file, pytest.raises(Refused, match=f"{what}.* is not UTF-8"):
            inspected(file.descriptor, file.size, path)


@pytest.mark.parametrize(("kind", "data"), [(2, b"\x02\0"), (4, b"\x03\0\0\0")])
def test_one_of_several_files_is_refused(kind: int, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    split = hostile.text("split.count") + struct.pack("<I", kind)
    path.write_bytes(hostile.gguf((split + data,)))
    with pytest.raises(Refused, match="one of several files"):
        checked(path)
    path.write_bytes(hostile.gguf((split + b"\x01" + data[1:],)))
    assert checked(path) is Kind.GGUF

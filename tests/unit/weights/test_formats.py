"""Only what is exactly one GGUF or one safetensors file is taken for one; each other is named."""

import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from gguf.constants import GGML_QUANT_SIZES

from inland.adapters.weights.formats import gguf, safetensors
from inland.adapters.weights.formats.kinds import Kind, kind_of
from inland.adapters.weights.formats.window import Refused, Window
from inland.adapters.weights.opened import opened
from tests.unit.weights import hostile

BLOCKS = {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}


def checked(path: Path) -> Kind:
    """As the inspecting child does, without its libraries."""
    with opened(path) as file:
        kind = kind_of(file.descriptor, file.size)
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

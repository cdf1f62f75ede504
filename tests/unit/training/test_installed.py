"""The trainer is found where it was installed, and how to install it is said as it is done."""

import json
import sys
from pathlib import Path

import pytest

from inland import __version__
from inland.adapters.training import __main__, command, installed
from inland.adapters.training.installed import BESIDE, WHOLE, InstalledTrainer

ROOT = Path(__file__).parents[3]


def test_an_environment_beside_is_taken_once_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "LIBRARIES", ("there-is-no-such-library",))
    trainer = InstalledTrainer(prefix=tmp_path / ".venv")
    assert trainer.program() is None
    (tmp_path / BESIDE).mkdir()
    assert trainer.program() is None
    (tmp_path / BESIDE / WHOLE).touch()
    found = trainer.program()
    assert found is not None
    assert found.words[0] == str(tmp_path / BESIDE / "bin" / "python")
    assert str(tmp_path / BESIDE) in found.readable


def test_what_runs_inland_is_taken_where_it_has_the_libraries(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "LIBRARIES", ("json",))
    found = InstalledTrainer(prefix=tmp_path / ".venv").program()
    assert found is not None
    assert found.words[0] == sys.executable


def test_what_brings_one_here_is_a_target_of_the_makefile(tmp_path):
    assert InstalledTrainer(prefix=tmp_path).remedy() == f"make -C {ROOT} trainer"
    assert "\ntrainer: install" in (ROOT / "Makefile").read_text()


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """An environment whose Python says whatever lies beside it."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(
        f'#!/bin/sh\ntest "$*" = "-P -m {command.MODULE} --account" && cat {python}.said'
    )
    python.chmod(0o755)
    return tmp_path


def said(named: Path, **other: object) -> None:
    told = json.loads(installed.account([])) | other
    (named / "bin" / "python.said").write_text(json.dumps(told))


def test_an_environment_that_is_named_is_the_trainers_where_it_says_so(named, monkeypatch):
    monkeypatch.setattr(installed, "LIBRARIES", ("json",))  # what runs this would do, unnamed
    trainer = InstalledTrainer(named)
    assert trainer.program() is None, "it says nothing"
    said(named, runs_from=[str(named / "bin"), str(named / "gone")])
    found = trainer.program()
    assert found is not None
    assert found.words == (str(named / "bin" / "python"), "-P", "-m", command.MODULE)
    assert {str(named), str(named / "bin")} < set(found.readable)
    assert str(named / "gone") not in found.readable


@pytest.mark.parametrize(
    "other",
    [{"lacks": ["torch"]}, {"inland": f"{__version__}.1"}, {"runs_from": 7}, {"lacks": None}],
)
def test_one_that_lacks_a_library_or_has_another_inland_is_no_trainer(named, other):
    said(named, **other)
    trainer = InstalledTrainer(named)
    assert trainer.program() is None
    assert f"{named}/bin/python -m pip install -e '{ROOT}[train]'" in trainer.remedy()


def test_a_python_says_what_it_has_of_a_trainer(capsys, monkeypatch):
    monkeypatch.setattr(installed, "lacking", lambda: ["torch"])
    assert __main__.main([command.ACCOUNT]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "inland": __version__,
        "lacks": ["torch"],
        "runs_from": [sys.prefix, sys.base_prefix],
    }

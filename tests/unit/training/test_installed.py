"""The trainer is found where it was installed, and how to install it is said as it is done."""

import sys
from pathlib import Path

from inland.adapters.training import installed
from inland.adapters.training.installed import BESIDE, WHOLE, InstalledTrainer

ROOT = Path(__file__).parents[3]


def test_an_environment_beside_is_taken_once_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "LIBRARIES", ("there-is-no-such-library",))
    trainer = InstalledTrainer(tmp_path / ".venv")
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
    found = InstalledTrainer(tmp_path / ".venv").program()
    assert found is not None
    assert found.words[0] == sys.executable


def test_what_brings_one_here_is_a_target_of_the_makefile(tmp_path):
    assert InstalledTrainer(tmp_path).remedy() == f"make -C {ROOT} trainer"
    assert "\ntrainer: install" in (ROOT / "Makefile").read_text()

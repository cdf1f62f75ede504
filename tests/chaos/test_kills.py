"""A small round of kills over every role; `make soak` runs the full thirty and more."""

import shutil
from pathlib import Path

import pytest

from tests.chaos.kills import KILLS, run_kills


@pytest.mark.timeout(600)
def test_every_answer_is_on_the_books_after_kills(tmp_path: Path, model_file: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs the Debian package strace")
    assert model_file.exists()
    outcome = run_kills(tmp_path, seed=7, count=len(KILLS))
    assert outcome.whole > 20
    assert outcome.holds, outcome

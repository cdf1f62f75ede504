"""A small round of kills over every role; `make soak` runs two hundred over every phase."""

import gc
import shutil
from pathlib import Path

import pytest

from tests.chaos.kills import SMALL, run_kills


# httpcore leaves a unix socket to the collector where nobody listens, as after a kill.
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_answer_is_on_the_books_after_kills(tmp_path: Path, model_file: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs the Debian package strace")
    assert model_file.exists()
    outcome = run_kills(tmp_path, 7, len(SMALL), SMALL)
    gc.collect()  # here, where what httpcore left is not held against us
    assert outcome.counted["whole"] > 0
    assert outcome.laws.hold_all, outcome.laws.verdicts()

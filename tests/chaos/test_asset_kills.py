"""What is killed half way happened whole or not at all, by the books: what is done with assets, and
rotations of keys."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = {"asset_kills": 12, "rotation_kills": 6}


@pytest.mark.parametrize("what", list(KILLS))
def test_what_is_done_with_assets_and_keys_survives_a_kill_at_any_step(what: str):
    argv = [sys.executable, "-m", f"tests.chaos.{what}", "--kills", str(KILLS[what]), "--seed", "7"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout or "{}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(told["kills"].values()) == KILLS[what], "every kill landed"

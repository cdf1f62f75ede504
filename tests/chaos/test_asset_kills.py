"""An upload, an export or an erase that is killed happened whole or not at all, by the books."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KILLS = 12


def test_what_is_done_with_assets_survives_a_kill_at_any_step():
    argv = [sys.executable, "-m", "tests.chaos.asset_kills", "--kills", str(KILLS), "--seed", "7"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout or "{}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(told["kills"].values()) == KILLS, "every kill landed"

"""A rotation of the factory key that is killed loses no key, and is ended by the next start."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KILLS = 24


def test_a_rotation_that_is_killed_anywhere_loses_no_key_and_is_ended():
    argv = [sys.executable, "-m", "tests.chaos.vault_rotation_kills"]
    argv += ["--kills", str(KILLS), "--seed", "3"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == KILLS, "every kill landed"
    assert told["ends"].keys() == {"not intended", "vault.undo", "vault.rotated"}, "and everywhere"

"""What is killed half way happened whole or not at all, by the books: what is done with assets,
rotations of keys, records that are destroyed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Kills of each act here; `make soak` has fifty of each, and those over a key server.
ASSETS, KEYS, RECORDS = ("upload", "move", "export", "erase"), ("key", "operator-key", "log-key"), 4
KILLS = {**dict.fromkeys(ASSETS, 3), **dict.fromkeys(KEYS, 2), "record-destroy": RECORDS}
#: The ends that a rotation of the factory key has. Which of them so few kills meet is chance.
VAULT_KEY, ENDS = 16, {"not intended", "vault.undo", "vault.rotated"}


@pytest.mark.parametrize("kills", sorted({*KILLS.values(), VAULT_KEY}))
def test_what_is_killed_at_any_step_happened_whole_or_not_at_all(kills: int) -> None:
    acts = {**KILLS, "vault-key": VAULT_KEY}
    names = [name for name, count in acts.items() if count == kills]
    argv = [sys.executable, "-m", "tests.chaos.act_kills", "--kills", str(kills), "--seed", "7"]
    done = subprocess.run(
        [*argv, "--acts", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {one["act"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert {name: one["kills"] for name, one in told.items()} == dict.fromkeys(names, kills)
    if "vault-key" in told:
        assert told["vault-key"]["ends"].keys() <= ENDS

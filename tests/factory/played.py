"""The pilot as a person plays it, on a clean home, with the trainer in an environment beside: one
JSON line of what was promised of it and what it came to."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.training.environment import ROOT, python

#: What of the command's own line is the figure.
_FIGURE = ("baseline", "released", "second", "poisoned_refused", "wall_s", "seconds", "targets")


def soak(seed: int) -> int:
    """All rounds; 1 where it does not keep what is promised of it."""
    del seed  # the data and the method have theirs
    python()  # where the trainer is not there yet
    with tempfile.TemporaryDirectory(prefix="inl-") as folder:
        argv = [sys.executable, "-P", "-m", "inland", "pilot", "--json"]
        argv += ["--home", str(Path(folder) / "home"), "--examples", str(ROOT / "examples")]
        argv += ["--verifier", str(ROOT / "verifier" / "inland_verify.py")]
        done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip():
        print(json.dumps({"soak": "pilot", "holds": False, "exit": done.returncode}))
        return 1
    told = json.loads(done.stdout.splitlines()[-1])
    figure = {name: told[name] for name in _FIGURE}
    print(json.dumps({"soak": "pilot", "holds": told["holds"], **figure}), flush=True)
    return int(not told["holds"])

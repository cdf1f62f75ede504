"""A client's own environment: made from its pinned requirements, renewed with them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: Longest a client may take to ask everything, in seconds; at first it compiles what it imports.
CLIENT_S = 400


def _python(name: str) -> Path:
    """The interpreter of the client's environment, which is there when this returns."""
    requirements = HERE / f"{name}-requirements.txt"
    venv = ROOT / f".venv-client-{name}"
    python, stamp = venv / "bin" / "python", venv / ".installed"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return python
    make_venv(venv, "--clear")
    install(python, "-r", str(requirements))
    stamp.write_text(requirements.read_text())
    return python


def make_venv(folder: Path, *words: str) -> None:
    """An empty environment in `folder`, without so much as a pip of its own."""
    argv = [sys.executable, "-m", "venv", "--without-pip", *words, str(folder)]
    subprocess.run(argv, check=True)


def install(python: Path, *words: str) -> None:
    """As `pip install WORDS` of that interpreter, by our own pip. What is imported is compiled
    then: most of what a client brings never is."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "-qq", "--no-compile", *words], check=True)


def told(name: str, said: dict[str, Any], home: Path) -> dict[str, Any]:
    """What the client's script printed when asked `said`. No variable of ours but PATH is there."""
    argv = [str(_python(name)), "-I", str(HERE / f"{name}_client.py")]
    quiet = {"LC_ALL": "C.UTF-8", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        argv,
        input=json.dumps(said),
        env={"PATH": os.environ["PATH"], "HOME": str(home), **quiet},
        capture_output=True,
        text=True,
        timeout=CLIENT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed

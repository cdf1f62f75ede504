"""A factory carried as one file to where no network is passes its own smoke test there: a figure
of `make soak`, for gathering and installing the wheels takes a minute."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from inland.adapters.isolation.shut_in import NONE, available
from inland.adapters.weights.smollm2 import SMOLLM2
from tests.factory.running import Running
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def measure(folder: Path) -> dict[str, Any]:
    """How long exporting, and setting up from it without a network, took; whether it holds."""
    if available() == NONE:
        return {"holds": False, "why": "this kernel gives no namespace without a network"}
    factory = Running(folder / "home")
    factory.up()
    factory.down()
    bundle, vkey, away = folder / "bundle.tar", folder / "bundle.vkey", folder / "away"
    begin = time.monotonic()
    made = json.loads(_run("inland", "bundle", "export", bundle, "--home", factory.home, "--json"))
    exported = time.monotonic()
    vkey.write_text(made["vkey"])
    away.mkdir()
    words = (bundle, made["sha256"], vkey, away, free_port())
    told = json.loads(_run("python", "-m", "tests.factory.without_network", *words))
    (model,) = told["models"]
    holds = bool(told["text"]) and "verified" in told["verified"] and model["verified"]
    return {
        "holds": holds and told["bundle"]["models"] == [SMOLLM2.name],
        "bundle_bytes": made["bytes"],
        "files": made["files"],
        "export_s": round(exported - begin, 1),
        "set_up_and_smoke_test_s": round(time.monotonic() - exported, 1),
    }


def _run(program: str, *words: object) -> str:
    argv = [str(Path(sys.executable).with_name(program)), *map(str, words)]
    done = subprocess.run(
        argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout

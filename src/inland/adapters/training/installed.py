"""The trainer as it is installed on this machine: with what runs Inland, or in an environment of
its own beside that, `.venv-train`, which `make trainer` makes."""

import importlib.util
import sys
from pathlib import Path

import inland
from inland.adapters.training import command, events
from inland.ports.trainer import TrainerProgram, TrainEvent, TrainOrder, TrainPlaces

#: What the extra `train` brings.
LIBRARIES = ("torch", "transformers", "peft")
#: The environment beside the one that runs this, and what lies in it once it is whole.
BESIDE, WHOLE = ".venv-train", ".installed"
_PACKAGE = Path(inland.__file__).parent


class InstalledTrainer:
    """`ports.trainer.Trainer`. Looked for anew whenever it is asked for."""

    def __init__(self, prefix: Path | None = None) -> None:
        """`prefix`: of the environment that runs this, another one in tests."""
        self._beside = (prefix or Path(sys.prefix)).parent / BESIDE

    def program(self) -> TrainerProgram | None:
        """As the port says."""
        if all(importlib.util.find_spec(name) for name in LIBRARIES):
            return _program(Path(sys.executable))
        if (self._beside / WHOLE).is_file():
            return _program(self._beside / "bin" / "python", str(self._beside))
        return None

    def remedy(self) -> str:
        """As the port says: in a checkout, or of a package that is installed."""
        source = _PACKAGE.parents[1]
        if (source / "Makefile").is_file() and (source / "pyproject.toml").is_file():
            return f"make -C {source} trainer"
        return f"{sys.executable} -m pip install 'inland[train]'"

    def words(self, order: TrainOrder, places: TrainPlaces) -> tuple[str, ...]:
        """As the port says."""
        return tuple(command.words(order, places))

    def event(self, line: str) -> TrainEvent:
        """As the port says."""
        return events.event(line)


def _program(python: Path, *readable: str) -> TrainerProgram:
    words = (str(python), "-P", "-m", command.MODULE)
    return TrainerProgram(words, (str(_PACKAGE), *readable))

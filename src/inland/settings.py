"""What the environment says, read once and frozen. The only module that reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: What children get of the environment: enough to find Python, its libraries and a language.
#: Proxies and credentials stay behind.
_FOR_CHILDREN = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "TMPDIR",
    "CREDENTIALS_DIRECTORY",
    "INLAND_TRAINER",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """`home`: the factory's folder unless a command names one. `cache`: files all homes share.

    `api_key`: whose key every command calls control with (INLAND_API_KEY); else the operator's.
    `credentials`: the folder of systemd's credentials, where the service has any.
    `trainer`: the Python environment that has the trainer's libraries (INLAND_TRAINER), where it is
    neither the one that runs this nor the one beside it.
    `environment` is the whole of it, for pip alone; `child_environment` is what the factory's
    processes run with.
    """

    home: Path
    cache: Path
    api_key: str | None = field(default=None, repr=False)
    credentials: Path | None = None
    trainer: Path | None = None
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    child_environment: dict[str, str] = field(default_factory=dict, repr=False)


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process, or of a given environment."""
    given = dict(os.environ if environment is None else environment)
    user = Path(given.get("HOME") or Path.home())
    data = Path(given.get("XDG_DATA_HOME") or user / ".local" / "share")
    cache = Path(given.get("XDG_CACHE_HOME") or user / ".cache")
    return Settings(
        home=Path(given.get("INLAND_HOME") or data / "inland").absolute(),
        cache=Path(given.get("INLAND_CACHE") or cache / "inland").absolute(),
        api_key=given.get("INLAND_API_KEY") or None,
        credentials=_folder(given.get("CREDENTIALS_DIRECTORY")),
        trainer=_folder(given.get("INLAND_TRAINER")),
        environment=given,
        child_environment=_for_children(given),
    )


def _folder(text: str | None) -> Path | None:
    return Path(text).absolute() if text else None


def _for_children(given: Mapping[str, str]) -> dict[str, str]:
    """Import paths and the trainer's are made absolute: children start in another folder."""
    kept = {name: given[name] for name in _FOR_CHILDREN if name in given}
    if trainer := _folder(kept.get("INLAND_TRAINER")):
        kept["INLAND_TRAINER"] = str(trainer)
    if kept.get("PYTHONPATH"):
        paths = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths)
    return kept

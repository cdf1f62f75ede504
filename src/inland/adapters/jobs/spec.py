"""What the process that keeps a job's command is told."""

from dataclasses import dataclass
from signal import SIGURG

#: Where a command finds its assets, by their ids, and what is its own: memory that only it sees.
ASSETS, OWN = "/run/assets", "/tmp"  # noqa: S108 - a mount of its own
#: Who keeps it hands this on to the command as SIGTERM; while it does not yet, nothing comes of it.
ASK = SIGURG
ENVIRONMENT = {"HOME": OWN, "TMPDIR": OWN, "INLAND_ASSETS": ASSETS}


@dataclass(frozen=True, slots=True)
class CellSpec:
    """`readable`: absolute paths it may read besides the system's, `given` among them by whoever
    began it; `hidden`: folders that are empty for it. `files`: descriptors by asset. `told`: where
    it is told how the command ended. `parent`: the process that this one ends with.
    `memory_bytes`: what all its processes may hold, and what it may write. `cores`, `nice`: as
    `JobSpec`. `filtered`: whether it is held to a filter of system calls."""

    argv: list[str]
    environment: dict[str, str]
    readable: list[str]
    given: list[str]
    hidden: list[str]
    files: dict[str, int]
    told: int
    parent: int
    memory_bytes: int
    cores: tuple[int, ...]
    nice: int
    filtered: bool

"""What the plant asks of whoever runs a job's command: shut in, with its assets in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from inland.ports.plaintext import Plaintext


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A command to run. `readable`: files and folders it may read besides the system's.
    `output_bytes`: what is kept of what it prints; `seconds`: how long it may take; `grace_s`: and
    then to end by itself; `memory_bytes`: what all it starts may hold."""

    job: str
    command: tuple[str, ...]
    readable: tuple[str, ...]
    output_bytes: int
    seconds: int
    grace_s: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How it ended. `status`: its exit status, negative for a signal, None where it never began or
    was ended; then `why`. `output`: what it printed, as far as that is kept, of `printed_bytes`."""

    status: int | None
    why: str
    output: bytearray
    printed_bytes: int


class Cell(Protocol):
    """A command that runs."""

    @property
    def pid(self) -> int:
        """Of the process that keeps it."""
        ...

    def wait(self) -> JobEnd:
        """Block until it, and all that it started, is gone. Called once."""
        ...

    def ask(self) -> None:
        """Tell it to end by itself (SIGTERM); it may not."""
        ...

    def end(self) -> None:
        """Kill it and all that it started; they are gone when it returns. May be repeated."""
        ...


class Cells(Protocol):
    """Runs commands."""

    @property
    def isolation(self) -> str:
        """What holds them in; `none` where nothing does, and then none is begun."""
        ...

    def begin(self, spec: JobSpec, files: Mapping[str, Plaintext]) -> Cell:
        """Start it with a file for each asset's id. Raises OSError, Conflict. The thread that
        calls it must live until the command has ended."""
        ...

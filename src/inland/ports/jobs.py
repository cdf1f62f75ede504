"""What the plant asks of whoever runs a job's command: shut in, with its assets in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from inland.ports.plaintext import Plaintext

#: Bytes of a line that are heard, at most.
LINE_BYTES = 64 << 10
#: Is told each line that a command prints, without its end.
Hear = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A command to run. `readable`: files and folders it may read besides the system's.
    `output_bytes`: what is kept of what it prints; `seconds`: how long it may take; `grace_s`: and
    then to end by itself; `memory_bytes`: what all it starts may hold. `cores`: where it runs, none
    for anywhere; `nice`: how far it gives way to others there (0 to 19)."""

    job: str
    command: tuple[str, ...]
    readable: tuple[str, ...]
    output_bytes: int
    seconds: int
    grace_s: int
    memory_bytes: int
    cores: tuple[int, ...] = ()
    nice: int = 0


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How it ended. `status`: its exit status, negative for a signal, None where it never began or
    was ended; then `why`. `output`: what it printed, as far as that is kept, of `printed_bytes`.
    `killed`: by nobody here; what it was begun for may be begun anew."""

    status: int | None
    why: str
    output: bytearray
    printed_bytes: int
    killed: bool = False


class Cell(Protocol):
    """A command that runs."""

    @property
    def pid(self) -> int:
        """Of the process that keeps it."""
        ...

    def wait(self, hear: Hear | None = None) -> JobEnd:
        """Block until it, and all that it started, is gone. Called once.

        With `hear` each line is told of as it comes, and waits in a pipe while the one before is
        heard; what `hear` raises ends the command, and is raised when it is gone.
        """
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
        """Start it with a file, or a room, for each id. Raises OSError, Conflict. The thread that
        calls it must live until the command has ended."""
        ...

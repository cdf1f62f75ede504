"""One child process: what is started, its log, how it is ended. Argument lists only, no shell."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from json import dumps
from pathlib import Path

from inland.adapters.processes.cores import pin, stand_back
from inland.adapters.processes.identity import start_ticks
from inland.adapters.processes.logs import last_line, rotate
from inland.adapters.processes.states import Life
from inland.ports.runner import EngineSpec, ProcessState, ProcessView


@dataclass(frozen=True, slots=True)
class Launch:
    """What a child is told when it starts. `lifeline_fd`: exit when it closes. `listen_fd`: a
    gateway's listening socket; `index`, `gateways`, `first`: which of how many it is, and whether
    none was it before. `spec`: an engine's. `listening`: how callers reach the factory, which
    engines are not told. Both descriptors are inherited."""

    name: str
    role: str
    home: Path
    lifeline_fd: int
    listen_fd: int | None = None
    spec: EngineSpec | None = None
    index: int = 0
    gateways: int = 1
    first: bool = False
    listening: str | None = None


#: Makes the argument list of a child; tests put stand-ins here.
Argv = Callable[[Launch], list[str]]


def bootstrap_argv(launch: Launch) -> list[str]:
    """The real factory's children, all through the one place where parts are put together.

    `-P` keeps the working directory off the import path.
    """
    argv = [sys.executable, "-P", "-m", "inland.bootstrap", launch.role]
    argv += ["--home", str(launch.home), "--name", launch.name]
    argv += ["--lifeline", str(launch.lifeline_fd)]
    if launch.listen_fd is not None:
        argv += ["--fd", str(launch.listen_fd), "--index", str(launch.index)]
        argv += ["--gateways", str(launch.gateways), *["--first"] * launch.first]
    if launch.listening is not None:
        argv += ["--listening", launch.listening]
    if launch.spec is not None:
        argv += ["--spec", dumps(asdict(launch.spec))]
    return argv


@dataclass(slots=True)
class Child:
    """A row of the supervisor's table. `wanted` differs from `spec` while an engine is replaced;
    `leaving` means its end is our doing, `gone` that its present life is over. `spawned_s`,
    `ready_s`: when that began, when it first worked; `overdue`: why it was killed, if too late;
    `index`: which of the gateways it is; `lives`: how often it was started."""

    name: str
    role: str
    log: Path
    spec: EngineSpec | None = None
    wanted: EngineSpec | None = None
    life: Life = field(default_factory=Life)
    process: subprocess.Popen[bytes] | None = None
    start: int | None = None
    log_start: int = 0
    leaving: bool = False
    spawned_s: float = 0.0
    ready_s: float = 0.0
    overdue: str | None = None
    inland: str | None = None
    index: int = 0
    lives: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def view(self) -> ProcessView:
        """The row as it is told to others."""
        return ProcessView(
            name=self.name,
            role=self.role,
            state=self.life.state,
            pid=self.process.pid if self.process else None,
            start=self.start,
            restarts=self.life.restarts,
            why=self.life.why,
            replica=self.spec.replica if self.spec else None,
            inland=self.inland if self.life.state is ProcessState.RUNNING else None,
        )

    def spawn(self, argv: list[str], fds: tuple[int, ...], environment: Mapping[str, str]) -> None:
        """Start it, its output going to its log. Raises OSError when the system has no room."""
        rotate(self.log)
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self.log_start = os.fstat(fd).st_size
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                pass_fds=fds,
                env=dict(environment),
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(fd)
        if self.spec is not None and self.spec.nice:
            stand_back(self.process.pid, self.spec.nice)
        self.start = start_ticks(self.process.pid)
        self.lives += 1
        self.gone.clear()

    def moved(self) -> bool:
        """Whether what is wanted differs in its cores and niceness alone: then it has those from
        now on."""
        spec, wanted = self.spec, self.wanted
        if spec is None or wanted is None:
            return False
        if replace(spec, cores=wanted.cores, nice=wanted.nice) != wanted:
            return False
        if self.leaving:
            return False
        self.spec = wanted
        if self.process is not None:
            pin(self.process.pid, wanted.cores)
            if wanted.nice != spec.nice:
                stand_back(self.process.pid, wanted.nice)
        return True

    def on_end(self, told: Callable[[subprocess.Popen[bytes], int], None]) -> None:
        """When it ends, call `told` with the process and its exit status, on another thread."""
        process = self.process
        assert process is not None
        threading.Thread(
            target=lambda: told(process, process.wait()), name=f"wait-{self.name}", daemon=True
        ).start()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.process is not None:
            self.process.send_signal(number)

    def describe_end(self, status: int) -> str:
        """How its process ended: exit status or signal, and the last line of what it said."""
        if self.overdue is not None:
            return self.overdue
        if status < 0:  # somebody else's doing: what it said last has nothing to do with it
            return f"killed by {signal_name(-status)}"
        line = last_line(self.log, self.log_start)
        return f"exit code {status}: {line}" if line else f"exit code {status}"


def signal_name(number: int) -> str:
    """SIGKILL for 9, and so on."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

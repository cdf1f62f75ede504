"""`ports.jobs.Cells`: starts the process that keeps a command, and reads what that prints."""

import json
import os
import select
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inland.adapters.files.clock import SystemClock
from inland.adapters.isolation.shut_in import FILTERED, NONE, is_filtered
from inland.adapters.jobs.spec import ASK, ASSETS, ENVIRONMENT, CellSpec
from inland.adapters.silence.view import beside, followed, outermost
from inland.domain.assets import ASSET
from inland.domain.errors import Conflict, NotFound
from inland.ports.jobs import LINE_BYTES, Cell, Hear, JobEnd, JobSpec
from inland.ports.plaintext import Plaintext

#: How records name what holds a job in: users, processes, mounts and networks of its own.
NAMESPACES = "namespaces"
#: What the process that keeps a command gets to end it, in seconds.
END_S = 0.5
_CHUNK_BYTES = 65536
_TOLD_BYTES = 4096


def held_in(isolation: str) -> str:
    """What holds jobs in on a kernel that can hold `isolation`."""
    if isolation == NONE:
        return NONE
    return f"{NAMESPACES}{FILTERED}" if is_filtered(isolation) else NAMESPACES


@dataclass(frozen=True, slots=True)
class CommandCells:
    """Commands of jobs of the factory at `home`, which none of them sees. `environment`: what
    every command gets of control's."""

    home: Path
    environment: Mapping[str, str]
    isolation: str

    def begin(self, spec: JobSpec, files: Mapping[str, Plaintext]) -> Cell:
        """As the port says."""
        told_r, told_w = os.pipe()
        try:
            asked = self._asked(spec, {asset: file.fd for asset, file in files.items()}, told_w)
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "inland.adapters.jobs"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(told_w, *(file.fd for file in files.values())),
                env=dict(self.environment),
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            os.close(told_r)
            raise
        finally:
            os.close(told_w)
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as asking:
            asking.write(json.dumps(asdict(asked)).encode())
        return CommandCell(process, told_r, spec)

    def _asked(self, spec: JobSpec, files: dict[str, int], told: int) -> CellSpec:
        program = shutil.which(spec.command[0], path=self.environment.get("PATH"))
        if program is None:
            raise NotFound(f"program {spec.command[0]!r} on control's PATH")
        given = [Path(path) for path in spec.readable]
        for path in given:
            if not (path.is_file() or path.is_dir()):
                raise NotFound(f"file or folder {path}")
        executable = Path(program).absolute()
        read = [executable, Path(sys.prefix), Path(sys.base_prefix), *given]
        readable, home = outermost(followed(read)), self.home.resolve()
        if any(path.is_relative_to(home) for path in readable):
            raise Conflict("the job", f"what lies in {self.home} is not for jobs")
        own = {**self.environment, **ENVIRONMENT, "INLAND_JOB": spec.job}
        return CellSpec(
            argv=[str(executable), *(_placed(word) for word in spec.command[1:])],
            environment=own,
            readable=[str(path) for path in beside(readable)],
            given=[str(path) for path in outermost(followed(given))],
            hidden=[str(home)],
            files=files,
            told=told,
            parent=os.getpid(),
            memory_bytes=spec.memory_bytes,
            cores=spec.cores,
            nice=spec.nice,
            filtered=is_filtered(self.isolation),
        )


class CommandCell:
    """One command that runs."""

    def __init__(self, process: "subprocess.Popen[bytes]", told: int, spec: JobSpec) -> None:
        self._process = process
        self._told = told
        self._spec = spec

    @property
    def pid(self) -> int:
        """As the port says."""
        return self._process.pid

    def ask(self) -> None:
        """As the port says, through who keeps it."""
        with suppress(ProcessLookupError):
            self._process.send_signal(ASK)

    def end(self) -> None:
        """As the port says: who keeps it kills the first process of its namespace, and waits for
        all the others."""
        with suppress(ProcessLookupError):
            self._process.terminate()
            self._wait_for_end()
        self._process.kill()
        self._process.wait()

    def _wait_for_end(self) -> None:
        """Until it ended, or `END_S`; `Popen.wait` would look again and again, ever less often.
        Raises ProcessLookupError where somebody has waited for it already."""
        ended = os.pidfd_open(self._process.pid)
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            poll.poll(END_S * 1000)
        finally:
            os.close(ended)

    def wait(self, hear: Hear | None = None) -> JobEnd:
        """As the port says."""
        output = bytearray()
        lines = _Lines(hear)
        take = lines.take if hear else self._keeper(output)
        try:
            printed, in_time = self._read(take, self._spec.seconds)
            if not in_time:
                self.ask()
                more, _ = self._read(take, self._spec.grace_s)
                printed += more
                self.end()
            lines.end()
        except BaseException:
            self.end()
            raise
        finally:
            code = self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            facts = self._facts()
        why = str(facts.get("why", ""))
        if not in_time:
            why = f"it took longer than {self._spec.seconds} s"
        elif not facts:
            why = f"the process that kept it ended ({code})"
        status = facts.get("status") if in_time else None
        killed = in_time and (not facts or (status is not None and status < 0))
        return JobEnd(status, why, output, printed, killed)

    def _keeper(self, output: bytearray) -> Callable[[bytes], None]:
        """What keeps in `output` as much as is kept."""

        def keep(chunk: bytes) -> None:
            output.extend(chunk[: max(0, self._spec.output_bytes - len(output))])

        return keep

    def _read(self, take: Callable[[bytes], None], seconds: float) -> tuple[int, bool]:
        """What it prints, handed on: how much that was, and whether it ended in time."""
        assert self._process.stdout is not None
        clock, printed, fd = SystemClock(), 0, self._process.stdout.fileno()
        until_s = clock.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            while (left_s := until_s - clock.monotonic()) > 0:
                if not selector.select(left_s):
                    continue
                chunk = os.read(fd, _CHUNK_BYTES)
                if not chunk:
                    return printed, True
                printed += len(chunk)
                take(chunk)
        return printed, False

    def _facts(self) -> dict[str, Any]:
        try:
            data = os.read(self._told, _TOLD_BYTES)
        finally:
            os.close(self._told)
        try:
            told: dict[str, Any] = json.loads(data)
        except ValueError:
            return {}
        return told


class _Lines:
    """Tells each line of what is taken in; a last one without an end too."""

    def __init__(self, hear: Hear | None) -> None:
        self._hear = hear
        self._begun = b""

    def take(self, chunk: bytes) -> None:
        *whole, self._begun = (self._begun + chunk).split(b"\n")
        for line in whole:
            self._tell(line)
        while len(self._begun) > LINE_BYTES:
            line, self._begun = self._begun[:LINE_BYTES], self._begun[LINE_BYTES:]
            self._tell(line)

    def end(self) -> None:
        if self._begun:
            self._tell(self._begun)

    def _tell(self, line: bytes) -> None:
        if self._hear is not None:
            self._hear(line[:LINE_BYTES])


def _placed(word: str) -> str:
    """`asset:ID` in a command stands for where that asset's file is."""
    return f"{ASSETS}/{word.removeprefix(ASSET)}" if word.startswith(ASSET) else word

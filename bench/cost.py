"""What a program took: seconds, processor seconds and the most memory, its own and a factory's."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench import serve

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """`cpu_s`, `rss_mib`: by process."""

    s: float
    cpu_s: dict[str, float]
    rss_mib: dict[str, float]


def cost_of(name: str, argv: list[str], written: Path | None = None) -> Cost:
    """Of a program from its start until what it wrote to `written` is synced."""
    return _run(name, argv, written)[1]


def _run(name: str, argv: list[str], written: Path | None = None) -> tuple[bytes, Cost]:
    os.sync()  # nobody pays for what another left unwritten
    began = time.perf_counter()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout as said:
        told = said.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {child.returncode}")
    if written is not None:
        fd = os.open(written, os.O_RDONLY)
        os.fdatasync(fd)
        os.close(fd)
    took = time.perf_counter() - began
    cpu = {name: usage.ru_utime + usage.ru_stime}
    return told, Cost(took, cpu, {name: round(usage.ru_maxrss / 1024, 1)})


@dataclass(frozen=True)
class Watched:
    """The processes of a running factory, by name."""

    home: Path
    pids: dict[str, int]

    @classmethod
    def of(cls, home: Path) -> Self:
        """Those of the factory that runs in `home`."""
        told = json.loads(serve.inland_says(None, home, "status", "--json"))
        return cls(home, {one["name"]: one["pid"] for one in told["processes"]})

    def cost_of_command(self, *words: str) -> tuple[dict[str, Any], Cost]:
        """What `inland WORDS --json` printed, and its cost with that of the factory meanwhile."""
        for pid in self.pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the most memory, from now on
        before = {name: _cpu_s(pid) for name, pid in self.pids.items()}
        program = str(Path(sys.executable).with_name("inland"))
        argv = [program, *words, "--home", str(self.home), "--json"]
        told, own = _run("command", argv)
        used = {name: _cpu_s(pid) - before[name] for name, pid in self.pids.items()}
        most = {name: _most_mib(pid) for name, pid in self.pids.items()}
        return json.loads(told), Cost(own.s, own.cpu_s | used, own.rss_mib | most)


def _cpu_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) * _TICK_S


def _most_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(round(int(line.split()[1]) / 1024, 1) for line in lines if line[:6] == "VmHWM:")

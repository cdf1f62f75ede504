"""What a factory costs that nobody asks for anything: processor time of each of its processes."""

import json
import os
import time
from pathlib import Path

from tests.factory.running import Running, running

#: How long it is looked at, and how long it is left alone before that, in seconds.
LOOK_S, SETTLE_S = 60.0, 10.0
#: Most that all but its engines may take of a core, in seconds of each minute.
MOST_S = 1.2
_TICKS = os.sysconf("SC_CLK_TCK")
#: Fields 14 and 15 of /proc/PID/stat, counted after the command's closing bracket.
_USER, _SYSTEM = 14 - 3, 15 - 3


def spent_s(pid: int) -> float:
    """Processor seconds that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS


def measure(factory: Running, look_s: float = LOOK_S) -> dict[str, float]:
    """Seconds a minute, by process."""
    pids = {str(one["name"]): int(one["pid"]) for one in factory.processes()}
    time.sleep(SETTLE_S)
    before = {name: spent_s(pid) for name, pid in pids.items()}
    time.sleep(look_s)
    after = {name: spent_s(pid) for name, pid in pids.items()}
    return {name: round((after[name] - before[name]) * 60 / look_s, 2) for name in pids}


def soak(seed: int, folder: Path, *words: str) -> int:
    """A warm home, up and left alone."""
    with running(folder / "home", *words) as factory:
        told = measure(factory)
    ours = sum(spent for name, spent in told.items() if not name.startswith("engine"))
    figure = {"soak": "quiet", "seed": seed, "holds": ours <= MOST_S, "cpu_s_per_minute": told}
    print(json.dumps(figure))
    return int(ours > MOST_S)

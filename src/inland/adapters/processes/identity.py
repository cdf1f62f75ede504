"""A process is known by its pid and its start time, never by its name."""

import os
from pathlib import Path

#: Field 22 of /proc/PID/stat, counted after the command's closing bracket (proc_pid_stat(5)).
_START_FIELD = 22 - 3
_STATE_FIELD = 0


def start_ticks(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot; None when there is no such live process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    if fields[_STATE_FIELD] in {"Z", "X"}:
        return None
    return int(fields[_START_FIELD])


def own_identity() -> tuple[int, int]:
    """This process's pid and start time."""
    pid = os.getpid()
    start = start_ticks(pid)
    assert start is not None
    return pid, start


def lives(pid: int, start: int) -> bool:
    """Whether that very process still runs; another one with its number does not count."""
    return start_ticks(pid) == start

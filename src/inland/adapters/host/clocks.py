"""Looks at the machine's clock: who keeps it, whether it jumped, what was dated after it."""

import ctypes
import os
import time
from pathlib import Path

from inland.adapters.host.findings import Finding, Health, good
from inland.adapters.processes.lock import running

#: `adjtimex` answers this when nobody disciplines the clock (`TIME_ERROR`, adjtimex(2)).
_UNSYNCHRONISED = 5
#: At least as large as `struct timex` on every Linux.
_TIMEX_BYTES = 256
#: What is no jump: a start takes a while between its two clocks, and NTP slews.
JUMP_S = 10.0


def clock() -> Finding:
    """Whether anybody keeps the clock right: records carry its time."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    if state == _UNSYNCHRONISED:
        remedy = "run chrony or systemd-timesyncd: records are dated by this clock"
        return Finding("clock", Health.WARN, "not synchronised", remedy)
    return good("clock", "synchronised" if state >= 0 else "cannot be asked")


def jumped(lock: Path) -> Finding:
    """Whether the clock jumped since the factory started: the time since boot never does.

    The lock file was written when the supervisor started, whose start the kernel knows as well.
    """
    holder = running(lock)
    if holder is None:
        return good("clock jumps", "no factory runs whose start could tell")
    started_s = holder.start / os.sysconf("SC_CLK_TCK")
    lived_s = time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    by_s = time.time() - lock.stat().st_mtime - lived_s
    if abs(by_s) > JUMP_S:
        remedy = "see why the clock was set; records from before and after it are dated by both"
        way = "forward" if by_s > 0 else "back"
        return Finding("clock jumps", Health.WARN, f"{abs(by_s):.0f} s {way}", remedy)
    return good("clock jumps", "none since the factory started")


def behind(newest_unix_us: int | None) -> Finding:
    """Whether the newest record at hand is dated after now: then the clock was set back."""
    if newest_unix_us is None:
        return good("clock and records", "no records yet")
    ahead_s = newest_unix_us / 1e6 - time.time()
    if ahead_s > JUMP_S:
        remedy = "set the clock right before more is recorded: new records would be dated before"
        told = f"the newest record is dated {ahead_s:,.0f} s from now"
        return Finding("clock and records", Health.BAD, told, remedy)
    return good("clock and records", f"the newest record is {-ahead_s:,.0f} s old")

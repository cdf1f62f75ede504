"""Looks at the machine: room on the disk, memory, swap, clock, limits, isolation. Reads only."""

import ctypes
import os
import resource
from pathlib import Path

from inland.adapters.files.journal import RESERVE_BYTES
from inland.adapters.host.findings import Finding, Health, good
from inland.adapters.isolation.shut_in import NONE, available

MIB = 1 << 20
#: Less room than this on the disk is warned of: a busy journal and its records fill it in hours.
WARN_DISK_BYTES = 4 << 30
#: Memory that must be free beyond the weights, for one engine's caches and the factory itself.
SPARE_MEMORY_BYTES = 1 << 30
#: Callers, engines and files together; a gateway takes 1,024 connections by default.
OPEN_FILES = 4096
#: `adjtimex` answers this when nobody disciplines the clock (`TIME_ERROR`, adjtimex(2)).
_UNSYNCHRONISED = 5
#: At least as large as `struct timex` on every Linux.
_TIMEX_BYTES = 256


def machine(home: Path, weights_bytes: int) -> list[Finding]:
    """What there is to say about the machine for a factory in `home` with weights of that size."""
    return [disk(home), memory(weights_bytes), swap(), clock(), open_files(), isolation()]


def disk(home: Path) -> Finding:
    """Room where the home lies."""
    found = os.statvfs(home)
    free = found.f_bavail * found.f_frsize
    told = f"{free // MIB:,} MiB free"
    if free < RESERVE_BYTES:
        remedy = f"free at least {RESERVE_BYTES // MIB} MiB: below it requests get 503"
        return Finding("disk", Health.BAD, told, remedy)
    if free < WARN_DISK_BYTES:
        return Finding("disk", Health.WARN, told, "make room, or move the home to a larger disk")
    return good("disk", told)


def memory(weights_bytes: int) -> Finding:
    """Memory for the weights and the rest."""
    free = _meminfo()["MemAvailable"]
    told = f"{free // MIB:,} MiB available, weights take {weights_bytes // MIB:,} MiB"
    if free < weights_bytes + SPARE_MEMORY_BYTES:
        remedy = "serve a smaller model, or fewer slots and less context (factory.toml)"
        return Finding("memory", Health.WARN, told, remedy)
    return good("memory", told)


def swap() -> Finding:
    """Swap writes memory, prompts included, to the disk."""
    total = _meminfo()["SwapTotal"]
    if total:
        remedy = "swapoff -a, or encrypt it: memory with prompts in it may be written there"
        return Finding("swap", Health.WARN, f"{total // MIB:,} MiB", remedy)
    return good("swap", "none")


def clock() -> Finding:
    """Whether anybody keeps the clock right: records carry its time."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    if state == _UNSYNCHRONISED:
        remedy = "run chrony or systemd-timesyncd: records are dated by this clock"
        return Finding("clock", Health.WARN, "not synchronised", remedy)
    return good("clock", "synchronised" if state >= 0 else "cannot be asked")


def open_files() -> Finding:
    """How many files and connections a process may hold."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < OPEN_FILES:
        remedy = f"raise the limit to {OPEN_FILES} (ulimit -n, or LimitNOFILE= of the service)"
        return Finding("open files", Health.WARN, f"at most {most}", remedy)
    return good("open files", "unlimited" if most == resource.RLIM_INFINITY else f"at most {most}")


def isolation() -> Finding:
    """What engines are shut in by."""
    held = available()
    if held == NONE:
        remedy = "a kernel with Landlock (5.13) and network namespaces shuts engines in"
        return Finding("isolation", Health.WARN, "none: records say so", remedy)
    return good("isolation", held)


def _meminfo() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, *_ in lines}

"""Looks at the machine: disk, memory, swap, clock, limits, isolation. Changes nothing."""

import os
import resource
import tempfile
import time
from pathlib import Path

from inland.adapters.files.journal import RESERVE_BYTES
from inland.adapters.host.clocks import clock
from inland.adapters.host.findings import Finding, Health, good
from inland.adapters.isolation.shut_in import NONE, available

MIB = 1 << 20
#: Less room than this on the disk is warned of: a busy journal and its records fill it in hours.
WARN_DISK_BYTES = 4 << 30
#: Memory that must be free beyond the weights, for one engine's caches and the factory itself.
SPARE_MEMORY_BYTES = 1 << 30
#: What a gateway holds besides its callers: engines, journals, libraries.
OTHER_FILES = 512
#: Less than this, in parts of all inodes or by number, is warned of and bad.
WARN_INODES_PART, LEAST_INODES = 0.05, 1000
#: A sync that takes longer makes every answer wait.
SLOW_SYNC_S = 0.1
#: Limits of the system and what the factory needs of each: a segment and a database of a file's
#: size, address space for weights mapped into memory, threads.
_LEAST = (
    ("RLIMIT_FSIZE", resource.RLIMIT_FSIZE, 1 << 32),
    ("RLIMIT_AS", resource.RLIMIT_AS, 8 << 30),
    ("RLIMIT_NPROC", resource.RLIMIT_NPROC, 512),
)


def machine(home: Path, weights_bytes: int, connections: int) -> list[Finding]:
    """What there is to say about the machine for a factory in `home` with weights of that size,
    each of whose gateways takes so many connections."""
    on_disk = [disk(home), inodes(home), syncs(home)]
    within = [open_files(connections), limits()]
    kept_out = [swap(), core_dumps()]
    return [*on_disk, memory(weights_bytes), *kept_out, clock(), *within, isolation()]


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


def inodes(home: Path) -> Finding:
    """Room for more files: a full table refuses them on a disk that is half empty."""
    found = os.statvfs(home)
    if not found.f_files:
        return good("inodes", "without limit")
    told = f"{found.f_favail:,} of {found.f_files:,} free"
    if found.f_favail < LEAST_INODES:
        return Finding("inodes", Health.BAD, told, "remove files: journals and records need more")
    if found.f_favail < WARN_INODES_PART * found.f_files:
        return Finding("inodes", Health.WARN, told, "remove files, or move the home")
    return good("inodes", told)


def syncs(home: Path) -> Finding:
    """Whether the disk takes a write and syncs it, and how fast. Leaves nothing behind."""
    try:
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"0" * 4096)
            file.flush()
            began = time.monotonic()
            os.fsync(file.fileno())
            took_s = time.monotonic() - began
    except OSError as error:
        remedy = "mount it to be written, make room, or let the factory's user write there"
        return Finding("disk syncs", Health.BAD, f"a write failed: {error.strerror}", remedy)
    told = f"a synced write took {took_s * 1000:.1f} ms"
    if took_s > SLOW_SYNC_S:
        return Finding(
            "disk syncs", Health.WARN, told, "each answer waits for one: use a faster disk"
        )
    return good("disk syncs", told)


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


def core_dumps(pattern: Path = Path("/proc/sys/kernel/core_pattern")) -> Finding:
    """Who gets a crashed program's memory. The factory's processes leave none; a job's command can
    take that back for itself, where a program takes dumps."""
    try:
        takes = pattern.read_text("ascii", "replace").strip()
    except OSError:
        return good("core dumps", "cannot be asked; the factory's processes leave none")
    if takes.startswith("|"):
        remedy = "sysctl kernel.core_pattern=core: a job that lowers its limit to 0 is dumped there"
        program = takes[1:].split(" ")[0]
        return Finding("core dumps", Health.WARN, f"the kernel hands them to {program}", remedy)
    return good("core dumps", "none of the factory's processes, and no program takes them")


def open_files(connections: int) -> Finding:
    """How many files and connections a process may hold: the factory takes the hard limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if most != resource.RLIM_INFINITY and most < needed:
        remedy = f"raise it to {needed} (ulimit -Hn, LimitNOFILE= of the service), or lower "
        remedy += "connections in factory.toml"
        told = f"at most {most}, and {connections} connections are allowed"
        return Finding("open files", Health.BAD, told, remedy)
    return good("open files", "unlimited" if most == resource.RLIM_INFINITY else f"at most {most}")


def limits() -> Finding:
    """What else the system may cut short: the size of a file, memory, processes."""
    low = []
    for name, limit, least in _LEAST:
        _, most = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY and most < least:
            low.append(f"{name} is {most:,}, at least {least:,} is needed")
    if low:
        remedy = "raise it (ulimit, or the Limit lines of the service)"
        return Finding("limits", Health.BAD, "; ".join(low), remedy)
    return good("limits", "none is in the way")


def may_open(files: int) -> int:
    """Let this process open so many files, as far as it may; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


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


def accelerators(devices: Path = Path("/dev")) -> tuple[int, ...]:
    """The NVIDIA accelerators of this machine, by the numbers of their device files."""
    found = (one.name.removeprefix("nvidia") for one in devices.glob("nvidia[0-9]*"))
    return tuple(sorted(int(number) for number in found if number.isdecimal()))

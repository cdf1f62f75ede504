"""What a child that parses tenants' bytes does first: drop the network, then every foreign file,
then the sockets that neither holds."""

import contextlib
import os
import sys
import sysconfig
from pathlib import Path

from inland.adapters.isolation.core_dumps import leave_no_core
from inland.adapters.isolation.landlock import (
    MAKE_SOCK,
    READ,
    READ_DIR,
    READ_FILE,
    REMOVE_FILE,
    WRITE_FILE,
    Allowed,
    restrict,
    version,
)
from inland.adapters.isolation.network import NETWORK, leave_network
from inland.adapters.silence import filter as calls

#: How records name it: the files by Landlock, the network by a namespace with no interface up,
#: other roads than networks by a filter of system calls, where the kernel has one.
_FILES, FILTERED = "landlock+", "+seccomp"
UNFILTERED = f"{_FILES}{NETWORK}"
KERNEL = f"{UNFILTERED}{FILTERED}"
NONE = "none"

#: What a Python program with native libraries reads to run at all; nothing private lives there.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")
_FACTS = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def available() -> str:
    """What this kernel can hold: `KERNEL`, `UNFILTERED` or `NONE`. Tried in a child, so nothing
    sticks here."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(OSError):
            leave_network()
            code = 2 if version() > 0 else 1
            calls.hold()
            code = 0 if code == 2 else 1
        os._exit(code)
    _, status = os.waitpid(child, 0)
    return {0: KERNEL, 2: UNFILTERED}.get(os.waitstatus_to_exitcode(status), NONE)


def is_filtered(isolation: str) -> bool:
    """Whether a filter of system calls is part of it."""
    return isolation.endswith(FILTERED)


def without_files(isolation: str) -> str:
    """What is left of it for a process that needs files nobody can list beforehand."""
    return isolation.removeprefix(_FILES)


def shut_in(isolation: str, readable: tuple[Path, ...], socket_folder: Path | None = None) -> None:
    """Hold this process to `isolation`: it reads the interpreter and `readable`, makes sockets in
    `socket_folder` if in any, connects to none, and has no network and no core dumps. Must run
    before any thread starts.

    Raises OSError where the kernel refuses: the caller ends rather than run with less.
    """
    leave_no_core()
    if isolation == NONE:
        return
    leave_network()
    restrict(_allowed(readable, socket_folder))
    if is_filtered(isolation):
        calls.hold(dials=False)


def _interpreter() -> set[Path]:
    paths = {Path(p) for p in (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values())}
    return paths | {Path(p) for p in sys.path if p} | {Path(__file__).parents[3]}


def _allowed(readable: tuple[Path, ...], socket_folder: Path | None) -> list[Allowed]:
    inside = [Allowed(path, READ) for path in _interpreter()]
    inside += [Allowed(Path(p), READ) for p in _SYSTEM]
    inside += [Allowed(Path(p), READ_FILE | READ_DIR) for p in _FACTS]
    inside += [Allowed(Path(p), READ_FILE | WRITE_FILE) for p in _DEVICES]
    inside += [Allowed(path, READ_FILE) for path in readable]
    if socket_folder is not None:
        inside.append(Allowed(socket_folder, MAKE_SOCK | REMOVE_FILE))
    return inside

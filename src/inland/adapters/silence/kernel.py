"""System calls for namespaces, mounts and capabilities that the standard library does not have.

Sources: namespaces(7), mount_setattr(2), move_mount(2), pivot_root(2), capabilities(7), prctl(2).
"""

import ctypes
import os
import platform
import signal
from pathlib import Path

from inland.adapters.isolation.network import stay

_libc = ctypes.CDLL(None, use_errno=True)

_NEW_NS, _NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
_NEW_USER, _NEW_PID, _NEW_NET = 0x10000000, 0x20000000, 0x40000000
_APART = _NEW_USER | _NEW_NET | _NEW_IPC | _NEW_UTS | _NEW_CGROUP

#: The same on every architecture since they were added.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
#: These are not.
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE, _O_CLOEXEC = -100, 0x1000, 0x8000, 0o2000000
_TREE_CLONE, _MOVE_EMPTY_PATH = 1, 4
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_MS_PRIVATE, _MS_REC, _MNT_DETACH = 1 << 18, 1 << 14, 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_SECUREBITS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 28, 38, 47
_AMBIENT_CLEAR_ALL, _NO_ROOT_LOCKED = 4, 0b11
_CAPABILITY_VERSION = 0x20080522


class _MountAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def _done(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return int(result)


def leave_everything() -> None:
    """A user, network, IPC, host name and cgroup namespace of its own. Raises OSError where the
    kernel refuses."""
    user, group = os.geteuid(), os.getegid()
    _done(_libc.unshare(_APART), "no namespaces for this process")
    stay(user, group)


def leave_processes() -> None:
    """The next child is the first process of a namespace of its own."""
    _done(_libc.unshare(_NEW_PID), "no process namespace for its children")


def leave_mounts() -> None:
    """Mounts of its own, which the rest of the machine neither sees nor changes."""
    _done(_libc.unshare(_NEW_NS), "no mount namespace for this process")
    _done(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mounts stay shared")


def mount(kind: str, target: Path, data: str = "") -> None:
    """A new file system of `kind` that runs no device and no set-user-id program."""
    flags = _NO_SUID | _NO_DEVICES | (_NO_EXEC if kind == "proc" else 0)  # as MS_* has them
    called = _libc.mount(kind.encode(), bytes(target), kind.encode(), flags, data.encode())
    _done(called, f"no {kind} on {target}")


def tree(path: Path, *, writable: bool = False, device: bool = False) -> int:
    """A copy of what is mounted at `path` and below, as a descriptor for `put`."""
    flags = _TREE_CLONE | _O_CLOEXEC | _AT_RECURSIVE
    found = _done(_libc.syscall(_OPEN_TREE, _AT_FDCWD, bytes(path), flags), f"no copy of {path}")
    bits = _NO_SUID | (0 if writable else _READ_ONLY) | (0 if device else _NO_DEVICES)
    attr = _MountAttr(bits, 0, 0, 0)
    where = (found, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, ctypes.byref(attr), ctypes.sizeof(attr))
    _done(_libc.syscall(_MOUNT_SETATTR, *where), f"{path} cannot be held to reading")
    return found


def put(mounted: int, target: Path) -> None:
    """Have a `tree` be what is seen at `target`."""
    where = (mounted, b"", _AT_FDCWD, bytes(target), _MOVE_EMPTY_PATH)
    _done(_libc.syscall(_MOVE_MOUNT, *where), f"nothing can be put at {target}")
    os.close(mounted)


def hold(root: Path) -> None:
    """Have the mount at `root`, and none below it, be read only."""
    attr = _MountAttr(_READ_ONLY | _NO_SUID | _NO_DEVICES, 0, 0, 0)
    where = (_AT_FDCWD, bytes(root), 0, ctypes.byref(attr), ctypes.sizeof(attr))
    _done(_libc.syscall(_MOUNT_SETATTR, *where), f"{root} stays writable")


def enter(root: Path) -> None:
    """Have `root`, a mount, be all the files there are."""
    os.chdir(root)
    number = _PIVOT_ROOT[platform.machine()]
    _done(_libc.syscall(number, b".", b"."), "the view cannot be entered")
    _done(_libc.umount2(b".", _MNT_DETACH), "the files outside stay")
    os.chdir("/")


def die_with_parent(by: int = signal.SIGKILL) -> None:
    """The kernel sends this process the signal `by` when the thread that made it ends."""
    _done(_libc.prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0), "no death signal")


def be_private() -> None:
    """Nobody without more rights looks into this process' memory or descriptors."""
    _done(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "it stays open to others")


def drop_capabilities() -> None:
    """No capability now, nor by any program that is run from here on."""
    _done(_libc.prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities stay")
    number = 0
    while _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1
    if number == 0:
        raise PermissionError("capabilities cannot be dropped")
    _done(_libc.prctl(_PR_SET_SECUREBITS, _NO_ROOT_LOCKED, 0, 0, 0), "root keeps its rights")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _done(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capabilities stay")
    _done(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "new privileges stay possible")

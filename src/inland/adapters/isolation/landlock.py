"""Landlock through its three system calls: the files this process may still touch, for good.

Source: Linux `Documentation/userspace-api/landlock.rst` and `include/uapi/linux/landlock.h`.
"""

import ctypes
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_FILE, MAKE_SOCK = 1 << 5, 1 << 9
#: Rights that make sense on a file; the kernel refuses the others where the path is no folder.
_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE
READ = READ_FILE | READ_DIR | EXECUTE

#: Rights over files known to each version of the interface: all are handled, so all are denied.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
#: TCP bind and connect, from version 4; abstract sockets and signals, from version 6.
_NET_SINCE, _NET_RIGHTS = 4, 0b11
_SCOPE_SINCE, _SCOPES = 6, 0b11

_libc = ctypes.CDLL(None, use_errno=True)


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


@dataclass(frozen=True, slots=True)
class Allowed:
    """A path (a file, or a folder and all below it) and the rights kept on it."""

    path: Path
    rights: int


def version() -> int:
    """The kernel's Landlock interface version; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)))


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"landlock: {os.strerror(error)}")
    return result


def restrict(allowed: Iterable[Allowed]) -> None:
    """Give up every right over files but `allowed`, TCP, abstract sockets and outside signals.

    Holds for this thread and all it starts, and cannot be undone. Paths that do not exist are
    passed over: a right on nothing is nothing. Raises OSError where the kernel refuses.
    """
    known = version()
    handled = max(rights for since, rights in _FILE_RIGHTS.items() if since <= known)
    net = _NET_RIGHTS if known >= _NET_SINCE else 0
    scoped = _SCOPES if known >= _SCOPE_SINCE else 0
    attr = _RulesetAttr(handled, net, scoped)
    size = 24 if scoped else 16 if net else 8
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attr), size, 0)
    try:
        for one in allowed:
            _allow(ruleset, one)
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no_new_privs refused")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, one: Allowed) -> None:
    try:
        descriptor = os.open(one.path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rights = one.rights if one.path.is_dir() else one.rights & _ON_FILES
        rule = _PathBeneathAttr(rights, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    except OSError as error:
        if error.errno != errno.EBADFD:  # a memory file: no rule holds it, nor does one need to
            raise
    finally:
        os.close(descriptor)

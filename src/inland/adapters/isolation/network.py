"""Leaving the network: a namespace of its own, with no interface up, or with a loopback alone."""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

#: How records name a process held in by this alone: its files are not.
NETWORK = "network-namespace"

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
#: Get and set an interface's flags, and the flag that says it is up (netdevice(7)).
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_IFREQ = struct.Struct("16sh22x")
_libc = ctypes.CDLL(None, use_errno=True)


def leave_network() -> None:
    """From now on this process reaches nothing by any network. Raises OSError where the kernel
    refuses; must run before any thread starts."""
    if _libc.unshare(_NEW_NET) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_NEW_USER | _NEW_NET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace for this process")
    stay(user, group)


def stay(user: int, group: int) -> None:
    """Who it is in the new user namespace: who it was. Without it, programs that ask who runs them
    hear of nobody."""
    own = Path("/proc/self")
    (own / "setgroups").write_bytes(b"deny")
    (own / "uid_map").write_bytes(b"%d %d 1" % (user, user))
    (own / "gid_map").write_bytes(b"%d %d 1" % (group, group))


def loopback_up() -> None:
    """The namespace's own loopback works: what runs in it may talk to itself. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = _IFREQ.pack(b"lo", 0)
        _, flags = _IFREQ.unpack(fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags | _IFF_UP))

"""What no namespace closes is closed by a filter of system calls (seccomp), whose notes count.

Refused and told: `vsock`, raw frames, protocols that load a module (all see that), `setns`.
Refused: the kernel's keys, io_uring, programs, mounts (names in a cgroup tree are seen outside),
others' descriptors, other limits on dumps. `hold` has a smaller one, which tells nobody. Sources:
seccomp(2), seccomp_unotify(2), `include/uapi/linux/seccomp.h`."""

import ctypes
import errno
import fcntl
import os
import platform
import struct
from contextlib import suppress
from dataclasses import dataclass

from inland.adapters.silence.bpf import (
    AND,
    ANY_BIT,
    AT_LEAST,
    EQUAL,
    LOAD,
    RETURN,
    Instruction,
    do,
    either,
    packed,
    when,
)

_SET_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _ERRNO, _KILL, _TELL = 0x7FFF0000, 0x00050000, 0x80000000, 0x7FC00000
_NUMBER, _ARCH = 0, 4
_NEW_NET = 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
_UNIX, _INET, _NETLINK, _INET6, _ALG = 1, 2, 16, 10, 38
_TYPES, _STREAM, _DATAGRAM = 0xF, 1, 2
#: Of networks' sockets: the usual one, ICMP, TCP, UDP, ICMPv6, MPTCP.
_PROTOCOLS = (0, 1, 6, 17, 58, 262)
_LIMIT_ON_DUMPS = 4
#: Requests of sockets for which the kernel loads a module whoever asks, in pairs: of bridges (two),
#: of frame relay (older kernels), of VLANs.
_LOADING = (0x8940, 0x89A0, 0x8980, 0x8982)
_PAIR = 0xFFFFFFFE
#: Numbers beyond are those of x86-64's other calling convention.
_X32 = 0x40000000

#: Receive a note, answer it; `_IOWR('!', …)` over the structures below.
_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101
_NOTE = struct.Struct("=QIIiIQ6Q")
_REPLY = struct.Struct("=QqiI")
_CONTINUE = 1

_FAMILIES = {17: "packet", 40: "vsock"}


@dataclass(frozen=True, slots=True)
class _Calls:
    """An architecture's name for itself, and its numbers of system calls."""

    arch: int
    seccomp: int
    socket: int
    connect: int
    socketpair: int
    setns: int
    ioctl: int
    #: Setting a limit: of one's own, and of any process.
    setrlimit: int
    prlimit: int
    namespaces: tuple[int, int]
    refused: tuple[int, ...]
    #: Its flags lie in memory, where a filter sees nothing: libraries then use `clone`.
    clone3: int = 435


#: The same numbers everywhere: io_uring's three, into which no filter sees.
_URING = (425, 426, 427)
#: Refused by the same numbers everywhere: io_uring's; open_tree, move_mount, fsopen, fsconfig,
#: fsmount, fspick, mount_setattr; pidfd_getfd.
_REFUSED = (*_URING, 428, 429, 430, 431, 432, 433, 442, 438)
#: And by each machine's: add_key, request_key, keyctl, bpf, perf_event_open, open_by_handle_at;
#: mount, umount2, pivot_root; userfaultfd, fanotify_init.
_MACHINES = {
    "x86_64": _Calls(
        *(0xC000003E, 317, 41, 42, 53, 308, 16, 160, 302, (56, 272)),
        (248, 249, 250, 321, 298, 304, 165, 166, 155, 323, 300, *_REFUSED),
    ),
    "aarch64": _Calls(
        *(0xC00000B7, 277, 198, 203, 199, 268, 29, 164, 261, (220, 97)),
        (217, 218, 219, 280, 241, 265, 40, 39, 41, 282, 262, *_REFUSED),
    ),
}

_libc = ctypes.CDLL(None, use_errno=True)


def is_known() -> bool:
    """Whether this machine's system calls are known here."""
    return platform.machine() in _MACHINES


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install() -> int:
    """Hold this process and all it starts to the filter; the descriptor that notes are read from.

    It must have given up new privileges. Raises OSError where the kernel refuses.
    """
    calls = _MACHINES[platform.machine()]
    return _installed(calls, program(calls), _NEW_LISTENER)


def hold(*, dials: bool = True) -> None:
    """Leave this process and all it starts unix sockets and those of networks, the usual ones and
    routes; io_uring, which makes others unseen, goes. Without `dials` it connects to nothing, and
    has no unix socket that sends without having connected.

    It gives up new privileges. Raises OSError where there is no filter; must run before any thread
    starts.
    """
    if not is_known():
        raise OSError(errno.ENOSYS, f"the system calls of {platform.machine()} are not known here")
    calls = _MACHINES[platform.machine()]
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "new privileges stay possible")
    _installed(calls, holding(calls, dials=dials), 0)


def _installed(calls: _Calls, instructions: list[Instruction], flags: int) -> int:
    text = packed(instructions)
    kept = ctypes.create_string_buffer(text, len(text))
    told = _Program(len(text) // 8, ctypes.cast(kept, ctypes.c_void_p))
    where = (calls.seccomp, _SET_FILTER, flags, ctypes.byref(told))
    found = int(_libc.syscall(*where))
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"no filter of system calls: {os.strerror(error)}")
    return found


def program(calls: _Calls) -> list[Instruction]:
    """The filter: each block looks at one system call, and falls through where it is another."""
    network = [do(LOAD, _argument(0)), *when(_NEW_NET, [do(RETURN, _TELL)], ANY_BIT)]
    made = _own_calls(calls)
    made += when(calls.socket, _socket(_any(), _TELL, _TELL))
    made += when(calls.socketpair, _pair(_any(), _TELL))
    made += when(calls.setns, [do(RETURN, _TELL)])
    made += when(calls.ioctl, _request())
    made += when(calls.setrlimit, _limit(0))
    made += when(calls.prlimit, _limit(1))
    made += when(calls.clone3, [do(RETURN, _ERRNO | errno.ENOSYS)])
    for number in calls.namespaces:
        made += when(number, [*network, do(RETURN, _ALLOW)])
    for number in calls.refused:
        made += when(number, [do(RETURN, _ERRNO | errno.EPERM)])
    return [*made, do(RETURN, _ALLOW)]


def holding(calls: _Calls, *, dials: bool) -> list[Instruction]:
    """The filter of who is held: what it refuses has an error, and is told to nobody."""
    family, kind = _ERRNO | errno.EAFNOSUPPORT, _ERRNO | errno.EPERM
    unix = _any() if dials else _streams(kind)
    made = _own_calls(calls)
    made += when(calls.socket, _socket(unix, family, kind))
    made += when(calls.socketpair, _pair(unix, family))
    for number in (*_URING, *(() if dials else (calls.connect,))):
        made += when(number, [do(RETURN, kind)])
    return [*made, do(RETURN, _ALLOW)]


def _own_calls(calls: _Calls) -> list[Instruction]:
    """Calls by another convention than the machine's end the process or are not there; the number
    of any other is loaded."""
    made = [do(LOAD, _ARCH), (EQUAL, 1, 0, calls.arch), do(RETURN, _KILL), do(LOAD, _NUMBER)]
    return [*made, *when(_X32, [do(RETURN, _ERRNO | errno.ENOSYS)], AT_LEAST)]


def _any() -> list[Instruction]:
    return [do(RETURN, _ALLOW)]


def _streams(otherwise: int) -> list[Instruction]:
    """Of unix sockets, those that send to whom they are connected with alone."""
    kind = [do(LOAD, _argument(1)), do(AND, _TYPES)]
    return [*kind, *when(_STREAM, _any()), do(RETURN, otherwise)]


def _pair(unix: list[Instruction], otherwise: int) -> list[Instruction]:
    return [do(LOAD, _argument(0)), *when(_UNIX, unix), do(RETURN, otherwise)]


def _socket(unix: list[Instruction], family: int, kind: int) -> list[Instruction]:
    """What becomes of a `unix` socket, of one of another `family`, and of a network's that is of
    no usual `kind`."""
    allow = [do(RETURN, _ALLOW)]
    usual = [do(LOAD, _argument(2))]
    for protocol in _PROTOCOLS:
        usual += when(protocol, allow)
    usual.append(do(RETURN, kind))
    of_network = [do(LOAD, _argument(1)), do(AND, _TYPES), *either((_STREAM, _DATAGRAM), usual)]
    routes = [do(LOAD, _argument(2)), *when(0, allow)]
    return [
        do(LOAD, _argument(0)),
        *when(_UNIX, unix),
        *either((_INET, _INET6), [*of_network, do(RETURN, kind)]),
        *when(_NETLINK, [*routes, do(RETURN, _ERRNO | errno.EPROTONOSUPPORT)]),
        *when(_ALG, [do(RETURN, _ERRNO | errno.EAFNOSUPPORT)]),
        do(RETURN, family),
    ]


def _request() -> list[Instruction]:
    made = [do(LOAD, _argument(1)), do(AND, _PAIR)]
    for request in _LOADING:
        made += when(request, [do(RETURN, _TELL)])
    return [*made, do(RETURN, _ALLOW)]


def _limit(which: int) -> list[Instruction]:
    """Setting the limit on dumps does nothing, and says that it was done: of none, the kernel would
    hand them to a program of the machine's. `which` argument names the limit; where it is not the
    first, the one behind it may be empty, which asks only."""
    done = do(RETURN, _ERRNO)
    new = _argument(which + 1)
    asked = [do(LOAD, new), (EQUAL, 1, 0, 0), done, do(LOAD, new + 4), (EQUAL, 1, 0, 0), done]
    return [
        do(LOAD, _argument(which)),
        *when(_LIMIT_ON_DUMPS, [*asked, do(RETURN, _ALLOW)]),
        do(RETURN, _ALLOW),
    ]


def _argument(number: int) -> int:
    return 16 + 8 * number


def answer(listener: int) -> str | None:
    """Read a note and answer it: what was tried, in a word; None where who tried it is gone."""
    note = bytearray(_NOTE.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, note)
    except OSError:
        return None
    number, _, _, call, _, _, *arguments = _NOTE.unpack(note)
    what, error = _tried(call, arguments)
    reply = _REPLY.pack(number, 0, -error, 0 if error else _CONTINUE)
    with suppress(OSError):  # killed meanwhile; it tried all the same
        fcntl.ioctl(listener, _ANSWER, bytearray(reply))
    return what


#: What is counted and let happen: a network of its own has no way out and no interface.
NETWORK = "network-namespace"


def _tried(call: int, arguments: list[int]) -> tuple[str, int]:
    calls = _MACHINES[platform.machine()]
    if call == calls.setns:
        return "setns", errno.EPERM
    if call == calls.ioctl:
        return f"ioctl-{arguments[1] & 0xFFFFFFFF:x}", errno.EPERM
    if call in {calls.socket, calls.socketpair}:
        family = arguments[0] & 0xFFFFFFFF
        if family in {_INET, _INET6}:
            is_raw = arguments[1] & _TYPES not in {_STREAM, _DATAGRAM}
            return "raw" if is_raw else f"protocol-{arguments[2] & 0xFFFFFFFF}", errno.EPERM
        return _FAMILIES.get(family, f"family-{family}"), errno.EAFNOSUPPORT
    return NETWORK, 0

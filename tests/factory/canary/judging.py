"""What a trace shows that must not be: a canary on its way to a disk, a connection elsewhere, and
whatever this reader could not see into."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.factory.canary.forms import Needles
from tests.factory.canary.trace import (
    BLIND,
    CARRIES,
    NAMES,
    SENDS,
    WRITES,
    Call,
    readable,
    unescaped,
)

#: File systems that live in memory, or tell of the kernel.
MEMORY_TYPES = frozenset(
    "tmpfs ramfs devtmpfs devpts proc sysfs cgroup cgroup2 mqueue hugetlbfs securityfs".split()
)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FD = re.compile(r"-?\d+<([^>]*)>")
_FIRST_FD = re.compile(r"(?:-?\d+|AT_FDCWD)<([^>]*)>")
_FAMILY = re.compile(r"sa_family=(\w+)")
_PATH = re.compile(r'sun_path=(@?)"([^"]*)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_ADDRESS = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Allowed:
    """`sockets`: unix sockets by path, or folders of them; `endpoints`: address and port; `mapped`:
    how files end that are mapped to be written, whose bytes are looked at afterwards; `public`:
    what is in the names of files whose bytes everybody has."""

    sockets: tuple[Path, ...] = ()
    endpoints: frozenset[tuple[str, int]] = frozenset()
    mapped: tuple[str, ...] = ()
    public: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was done in a process, and of which canaries (by name and form), where it is known."""

    what: str
    pid: int
    canaries: frozenset[str] = frozenset()


class Disks:
    """Which paths lie on a disk, by the mounts of a process, as it tells them itself."""

    def __init__(self, mounts: str | None = None) -> None:
        """`mounts`: of another namespace, as its `mountinfo` has them; else this process' own."""
        told = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
        self._kinds: dict[str, str] = {}
        for line in told.splitlines():
            before, _, after = line.partition(" - ")
            self._kinds[before.split()[4]] = after.split()[0]

    def hold(self, path: str) -> bool:
        """Whether what is written there rests."""
        path = path.removesuffix(" (deleted)")
        if not path.startswith("/") or path.startswith("/memfd:"):
            return False
        if path.startswith("/dev/") and Path(path).is_block_device():
            return True
        parents = [path, *map(str, Path(path).parents)]
        kind = next(self._kinds[one] for one in parents if one in self._kinds)
        return kind not in MEMORY_TYPES


def judged(
    calls: Iterable[Call],
    needles: Needles,
    allowed: Allowed,
    elsewhere: Mapping[int, Disks] | None = None,
) -> list[Finding]:
    """All that is wrong, in no order. Bytes of several calls to one file are read as one.

    `elsewhere`: the disks of processes that see others than this one, by pid.
    """
    own, others = Disks(), elsewhere or {}
    found: list[Finding] = []
    streams: dict[tuple[Disks, str], tuple[int, bytearray]] = {}
    for call in calls:
        disks = others.get(call.pid, own)
        if call.name in WRITES.split(","):
            found += _written(call, disks, allowed, streams)
        elif call.name in SENDS.split(","):
            found += _sent(call, allowed)
        elif call.name in CARRIES.split(","):
            found += _carried(call, disks)
        elif call.name in NAMES.split(","):
            found += _named(call, disks, needles)
        elif call.name == "mmap":
            found += _mapped(call, disks, allowed)
        elif call.name in BLIND.split(",") and not call.text.endswith("(INJECTED)"):
            found.append(Finding(f"called {call.name}, which cannot be seen into", call.pid))
    for (_, path), (pid, stream) in streams.items():
        if there := needles.found_in(bytes(stream)):
            found.append(Finding(f"wrote to {path}", pid, frozenset(there)))
    return found


def _written(
    call: Call,
    disks: Disks,
    allowed: Allowed,
    streams: dict[tuple[Disks, str], tuple[int, bytearray]],
) -> Iterator[Finding]:
    if _FIRST_FD.match(call.text) is None and " = -1 E" not in call.text:
        yield Finding(f"{call.name} to nobody knows what: {call.text[:40]}", call.pid)
    path = _path(call.text)
    if not disks.hold(path) or any(one in path for one in allowed.public):
        return
    data = bytearray()
    for text, cut in _TEXT.findall(call.text):
        data += unescaped(text)
        if cut:
            yield Finding(f"wrote more to {path} at once than was traced", call.pid)
    streams.setdefault((disks, path), (call.pid, bytearray()))[1].extend(data)


def _carried(call: Call, disks: Disks) -> Iterator[Finding]:
    """From one file on a disk to another nothing new rests; from anywhere else it may."""
    paths = [readable(one) for one in _FD.findall(call.text)]
    if call.name == "sendfile":
        paths.reverse()  # it names the target first
    if len(paths) != 2:
        return
    source, target = paths
    if disks.hold(target) and not disks.hold(source):
        yield Finding(f"carried from {source} to {target} by {call.name}", call.pid)


def _named(call: Call, disks: Disks, needles: Needles) -> Iterator[Finding]:
    if call.name.startswith("open") and "O_CREAT" not in call.text:
        return
    texts = [unescaped(text) for text, _ in _TEXT.findall(call.text)]
    there = needles.found_in(b"\n".join(texts), 0)
    if not there:
        return
    folder = _path(call.text)
    for text in texts:
        path = text.decode("utf-8", "backslashreplace")
        if disks.hold(path if path.startswith("/") else f"{folder or '/'}"):
            yield Finding(f"named {path} by {call.name}", call.pid, frozenset(there))
            return


def _mapped(call: Call, disks: Disks, allowed: Allowed) -> Iterator[Finding]:
    if "MAP_SHARED" not in call.text or "PROT_WRITE" not in call.text:
        return
    for one in _FD.findall(call.text):
        path = readable(one)
        if disks.hold(path) and not path.endswith(allowed.mapped or ("\n",)):
            yield Finding(f"mapped {path} to be written", call.pid)


def _sent(call: Call, allowed: Allowed) -> Iterator[Finding]:
    families = _FAMILY.findall(call.text)
    if not families:
        if call.name == "connect":
            yield Finding(f"connected where cannot be read: {call.text[:80]}", call.pid)
        return
    for family in families:
        told = _elsewhere(family, call.text, allowed)
        if told:
            yield Finding(f"{call.name} to {told}", call.pid)


def _elsewhere(family: str, text: str, allowed: Allowed) -> str:
    """Where to, in words; empty where that is allowed."""
    if family in {"AF_UNSPEC", "AF_NETLINK"}:
        return ""
    if family == "AF_UNIX":
        path = _PATH.search(text)
        if path is None:
            return "a unix socket without a name"
        named = readable(path[2]).rstrip("\0")
        ours = any(Path(named).is_relative_to(one) for one in allowed.sockets)
        return "" if ours and not path[1] else f"the unix socket {path[1]}{named}"
    port, address = _PORT.search(text), _ADDRESS.search(text)
    if port is None or address is None:
        return f"something of {family}"
    endpoint = (readable(address[1]), int(port[1]))
    return "" if endpoint in allowed.endpoints else f"{endpoint[0]} port {endpoint[1]}"


def _path(text: str) -> str:
    first = _FIRST_FD.match(text)
    return readable(first[1]) if first else ""

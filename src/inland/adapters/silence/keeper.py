"""The process that counts: it makes the namespaces, lets a canary try every way out, then runs
the command.

It sees all frames of the network it made and answers the filter's notes; the command knows nothing
of it and reaches nothing of it.
"""

import json
import os
import platform
import select
import selectors
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

from inland.adapters.silence import canary, view
from inland.adapters.silence import filter as calls
from inland.adapters.silence.cage import Command, leave, live
from inland.adapters.silence.routes import all_to_loopback
from inland.adapters.silence.served import LiesThere, covered
from inland.adapters.silence.tap import Tap
from inland.adapters.silence.view import View
from inland.adapters.silence.watch import Watch, watched

_CHUNK_BYTES = 65_536
_TOLD_BYTES = 65_536
#: How long the canary's processes may outlive it, in seconds.
_CANARY_S = 5.0


@dataclass(slots=True)
class Found:
    """What came of it. `why`: no claim can be made, and why; empty where one can. `frames` and
    `refused`: by protocol or way, what the command sent or tried."""

    why: str = ""
    canary: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    networks: int = 0
    first: str = ""
    status: int | None = None
    left: int = 0
    masked: list[str] = field(default_factory=list)
    covered: list[str] = field(default_factory=list)
    unwatched_folders: int = 0
    output_bytes: int = 0
    output_sha256: str = ""
    output_kept_bytes: int = 0
    began_unix_us: int = 0
    ended_unix_us: int = 0


@dataclass(slots=True)
class _Run:
    """What one stay in the cage did."""

    ended: dict[str, Any]
    tried: Counter[str]
    output_bytes: int
    kept_bytes: int
    digest: str


def keep(
    seen: View, command: Command, output: int, output_limit_bytes: int, wait_s: float
) -> Found:
    """Run `command` where it sees `seen` alone; its output goes to the descriptor `output`.

    Never raises OSError: what the kernel refuses is the `why` of no claim, as is a folder in the
    view that cannot be listed.
    """
    found = Found()
    try:
        if not calls.is_known():
            found.why = f"the system calls of {platform.machine()} are not known here"
            return found
        watch = Watch()
        seen = _prepared(seen, watch, found)
        if len(seen.masked) > view.MOST_MASKED:
            found.why = f"{len(seen.masked)} sockets, pipes and devices in what is to be readable"
            return found
        leave()
        all_to_loopback()
        tap = Tap()
        found.why = _sing(tap, seen, found)
        if not found.why:
            _run((tap, watch), seen, command, (output, output_limit_bytes), wait_s, found)
    except (view.NotListed, LiesThere) as error:
        found.why = str(error)
    except OSError as error:
        found.why = f"the kernel does not let it be made: {error}"
    return found


def _prepared(seen: View, watch: Watch, found: Found) -> View:
    """The view without what others serve: file systems covered, sockets and the like masked."""
    served = covered((*seen.readable, *seen.writable))
    found.covered = [str(one) for one in served]
    points = {one.point for one in served}
    folders = tuple(one for one in points if one.is_dir())
    others = reversed((*seen.readable, *seen.writable))  # the system's own are watched last
    masked = {*watched(watch, others, {*points, *seen.hidden}), *(points - set(folders))}
    found.masked = sorted(map(str, masked))
    found.unwatched_folders = watch.unwatched
    return replace(seen, hidden=(*seen.hidden, *folders), masked=tuple(sorted(masked)))


def _sing(tap: Tap, seen: View, found: Found) -> str:
    """Why a count of nothing would mean nothing; empty where every canary was counted."""
    for name, attempt in canary.FRAMES.items():
        raised = canary.COUNTED.get(name, name)
        earlier = tap.counts().get(raised, 0)
        with suppress(OSError):
            attempt()
        found.canary[name] = tap.counts().get(raised, 0) - earlier
    before = tap.counts()
    nowhere = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
    song = Command((), {}, view.PRIVATE[0], canary.sing)
    run = _stay(tap, seen, song, (nowhere, 0), _CANARY_S)
    os.close(nowhere)
    if "why" in run.ended:
        return str(run.ended["why"])
    after = tap.counts()
    found.canary |= {
        f"caged-{name}": after.get(name, 0) - before.get(name, 0) for name in canary.CAGED
    }
    found.canary |= {f"refused-{name}": run.tried[name] for name in canary.REFUSED}
    silent = [name for name, count in found.canary.items() if not count]
    return f"the canary was not counted: {', '.join(silent)}" if silent else ""


def _run(
    kept: tuple[Tap, Watch],
    seen: View,
    command: Command,
    output: tuple[int, int],
    wait_s: float,
    found: Found,
) -> None:
    tap, watch = kept
    before, tap.first = Counter(tap.counts()), ""
    found.began_unix_us = time.time_ns() // 1000
    run = _stay(tap, seen, command, output, wait_s, watch)
    found.ended_unix_us = time.time_ns() // 1000
    found.frames = dict(Counter(tap.counts()) - before)
    found.first = tap.first
    found.networks = run.tried.pop(calls.NETWORK, 0)
    found.refused = dict(sorted(run.tried.items()))
    found.output_bytes, found.output_kept_bytes = run.output_bytes, run.kept_bytes
    found.output_sha256 = run.digest
    if "status" not in run.ended:
        found.why = str(run.ended.get("why", "its first process ended without a word"))
        return
    found.status, found.left = run.ended["status"], int(run.ended["left"])
    watch.read()
    since = set(view.special(seen.readable, without=seen.hidden)) - set(seen.masked)
    if made := watch.made or (str(min(since)) if since else ""):
        found.why = f"somebody made a socket, pipe or device where it could read: {made}"


def _stay(
    tap: Tap,
    seen: View,
    command: Command,
    output: tuple[int, int],
    wait_s: float,
    watch: Watch | None = None,
) -> _Run:
    """One stay in the cage, from its first process to the end of its last."""
    told_in, told_out = os.pipe2(os.O_CLOEXEC)
    output_in, output_out = os.pipe2(os.O_CLOEXEC)
    notes_in, notes_out = socket.socketpair()
    child = os.fork()
    if child == 0:
        live(seen, command, output_out, told_out, notes_out, wait_s)
    os.close(told_out)
    os.close(output_out)
    notes_out.close()
    heard = _Hearing(tap, told_in, output_in, notes_in, output)
    if watch is not None:
        heard.also(watch)
    heard.run()
    os.waitpid(child, 0)
    tap.read()
    ended = json.loads(bytes(heard.told) or b"{}")
    return _Run(ended, heard.tried, heard.written, heard.kept, heard.digest.hexdigest())


class _Hearing:
    """Reads everything that comes of a stay until its first process is gone."""

    def __init__(
        self, tap: Tap, told: int, output: int, notes: socket.socket, kept: tuple[int, int]
    ) -> None:
        self.tried: Counter[str] = Counter()
        self.told = bytearray()
        self.digest = sha256()
        self.written = self.kept = 0
        self._file, self._limit_bytes = kept
        self._open: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(tap, selectors.EVENT_READ, tap.read)
        self._reads(told, lambda: self._hear(told))
        self._reads(output, lambda: self._write(output))
        self._selector.register(notes, selectors.EVENT_READ, lambda: self._listen(notes))
        self._told = told

    def also(self, watch: Watch) -> None:
        """Look at what is made meanwhile."""
        self._selector.register(watch, selectors.EVENT_READ, watch.read)

    def run(self) -> None:
        """Until the first process has said how it ended, and all output is read."""
        while self._open:
            for key, _ in self._selector.select():
                key.data()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, int):
                os.close(key.fileobj)
            elif isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _reads(self, fd: int, read: Any) -> None:
        self._open.add(fd)
        self._selector.register(fd, selectors.EVENT_READ, read)

    def _end(self, fd: int) -> None:
        self._open.discard(fd)
        self._selector.unregister(fd)
        os.close(fd)

    def _hear(self, fd: int) -> None:
        data = os.read(fd, _TOLD_BYTES)
        self.told += data
        if not data:
            self._end(fd)

    def _write(self, fd: int) -> None:
        data = os.read(fd, _CHUNK_BYTES)
        if not data:
            self._end(fd)
            return
        self.digest.update(data)
        self.written += len(data)
        room = data[: max(0, self._limit_bytes - self.kept)]
        self.kept += len(room)
        while room:
            room = room[os.write(self._file, room) :]

    def _listen(self, notes: socket.socket) -> None:
        _, found, _, _ = socket.recv_fds(notes, 16, 1)
        self._selector.unregister(notes)
        notes.close()
        if found:
            listener = found[0]
            self._selector.register(listener, selectors.EVENT_READ, lambda: self._note(listener))

    def _note(self, listener: int) -> None:
        tried = calls.answer(listener)
        if tried is not None:
            self.tried[tried] += 1
        elif is_over(listener):
            self._selector.unregister(listener)
            os.close(listener)


def is_over(listener: int) -> bool:
    """Whether nobody is left who could be held to the filter."""
    polled = select.poll()
    polled.register(listener, select.POLLIN)
    return any(events & select.POLLHUP for _, events in polled.poll(0))


def facts(found: Found) -> bytes:
    """As it is told to whoever asked."""
    return json.dumps(asdict(found)).encode()

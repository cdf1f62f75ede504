"""Control's end of the feed: one thread that answers asks at once and pushes what is published.

The thread only copies bytes between sockets and buffers: no lock is held while anything waits, so
nothing else holds a lease up.
"""

import logging
import selectors
import socket
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Event, Thread

from inland import __version__
from inland.adapters.feed.dealing import Dealing, Speaker, Watched
from inland.adapters.feed.frames import (
    ASK_LIMIT_BYTES,
    LEASE_S,
    PUSH_LIMIT_BYTES,
    SPOKEN,
    Answer,
    Ask,
    Frames,
    Wants,
    demand_size,
    from_gateway,
    push_frame,
    to_frame,
    unspoken,
)
from inland.adapters.feed.leases import Holder, fresh_leases
from inland.adapters.isolation.peers import is_shut_in, pid_of
from inland.domain.allowances import Allowance, Claim
from inland.domain.errors import Busy, Damaged
from inland.domain.snapshot import Secrets, Snapshot
from inland.ports.clock import Clock
from inland.ports.feed import Shares

MAX_GATEWAYS = 256
#: Room that growth leaves for changes that take something away, and what of these is no growth.
RESERVE_BYTES, SAME_BYTES = 1 << 20, 64
#: Published versions whose digests are remembered: more than anybody is behind.
REMEMBERED = 256
#: Bytes that may wait for one gateway: more than two pushes means that it does not read.
MAX_WAITING_BYTES = 160 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
#: How often a waiting caller looks at the clock and the process table, in seconds.
_LOOK_EVERY_S = 0.05
_IDLE_S = 1.0

#: A gateway's writer, the number of its ask, its claims; what it may hold.
Allow = Callable[[str, int, Sequence[Claim]], Sequence[Allowance]]

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Gateway:
    """One connection."""

    socket: socket.socket
    frames: Frames = field(default_factory=lambda: Frames(ASK_LIMIT_BYTES))
    waiting: bytearray = field(default_factory=bytearray)
    pushed: str = ""
    refused: str = ""
    logged: str = ""
    speaker: Speaker = field(init=False)

    def __post_init__(self) -> None:
        self.speaker = Speaker(self.waiting)


class FeedServer:
    """`ports.feed.Feed` on a unix socket. `pids` tells the gateways' pids; it may raise Busy.
    `shares`: how slots are dealt out, where there are several gateways."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        pids: Callable[[], AbstractSet[int]],
        shares: Shares | None = None,
        allow: Allow = lambda *_: (),
    ) -> None:
        """`allow`: what a gateway's claims on budgets come to; it waits for nothing."""
        self._allow = allow
        self._clock = clock
        self._pids = pids
        self._changed = Condition()
        self._leases = fresh_leases(clock.monotonic())
        self._version = 0
        self._digest = ""
        self._push = b""
        self._published: dict[int, str] = {}
        self._ended = Event()
        self._listener = _listen(path)
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._dealing = None if shares is None else Dealing(shares, self._selector)
        self._thread = Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        for end in (self._listener, self._wake_in, self._wake_out):
            end.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._thread.start()

    def close(self) -> None:
        """End the thread and every connection."""
        self._ended.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        if self._dealing is not None:
            self._dealing.close()
        self._selector.close()
        for end in (self._listener, self._wake_in, self._wake_out):
            end.close()

    def publish(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Hand a snapshot to every gateway; one older than the last is ignored."""
        push, digest = push_frame(snapshot, secrets)
        with self._changed:
            if snapshot.version >= self._version:
                self._version, self._digest, self._push = snapshot.version, digest, push
                self._published[snapshot.version] = digest
                while len(self._published) > REMEMBERED:
                    del self._published[min(self._published)]
                if self._dealing is not None:
                    self._dealing.plan(snapshot)
        self._wake()

    def look(self) -> None:
        """Whose gateways' processes live: slots are dealt out once all of them have spoken that
        lived before this control did. Raises Busy."""
        if self._dealing is None or not self._dealing.must_look:
            return
        pids = self._pids()
        with self._changed:
            self._dealing.lived(pids)
        self._wake()

    def demand_fits(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Raises Conflict for a snapshot too large for a gateway.

        What takes something away always fits: only growth is refused, and short of the limit.
        """
        push, _ = push_frame(snapshot, secrets)
        with self._changed:
            before = len(self._push)
        if len(push) > before + SAME_BYTES:
            demand_size(len(push), PUSH_LIMIT_BYTES - RESERVE_BYTES)

    def wait_in_force(self, version: int) -> None:
        """Block until nobody can act on anything older than `version`: at most a lease, 5 s."""
        while True:
            pids = self._running_pids()
            with self._changed:
                now = self._clock.monotonic()
                if self._leases.in_force(version, max(self._version, version), now, pids):
                    return
                self._changed.wait(_LOOK_EVERY_S)

    def works_on(self, replica: str, version: int) -> bool:
        """Whether any gateway may be at work on a replica that gets nothing new since `version`."""
        pids = self._told_pids()
        with self._changed:
            now, newest = self._clock.monotonic(), max(self._version, version)
            if not self._leases.in_force(version, newest, now, pids):
                return True
            return self._leases.works_on(replica, version, now, pids)

    def gateways(self) -> list[Holder]:
        """Every gateway whose lease runs, by name."""
        now = self._clock.monotonic()
        with self._changed:
            live = [holder for holder in self._leases.holders.values() if holder.until > now]
        return sorted(live, key=lambda holder: (holder.gateway, holder.writer))

    def refused(self) -> dict[str, str]:
        """Why gateways that ask get no lease, by gateway and pid."""
        since = self._clock.monotonic() - LEASE_S
        return {
            f"{one.gateway} (pid {one.pid})": one.refused
            for one in self.heard()
            if one.refused and one.asked > since
        }

    def is_alive(self) -> bool:
        """Whether the thread runs; without it no gateway may act for longer than a lease."""
        return self._thread.is_alive()

    def heard(self) -> list[Holder]:
        """Every gateway that asked in the last minute, those that have died since too."""
        with self._changed:
            return list(self._leases.holders.values())

    def version(self) -> int:
        """The version published last; 0 before the first."""
        with self._changed:
            return self._version

    def _running_pids(self) -> AbstractSet[int] | None:
        if self._clock.monotonic() >= self._leases.phantom_until:
            return None  # nobody needs to be asked any more
        return self._told_pids()

    def _told_pids(self) -> AbstractSet[int] | None:
        try:
            return self._pids()
        except Busy:
            return None

    def _wake(self) -> None:
        with suppress(BlockingIOError, OSError):
            self._wake_out.send(b".")

    def _run(self) -> None:
        while not self._ended.is_set():
            for key, events in self._selector.select(_IDLE_S):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_in:
                    self._wake_in.recv(_CHUNK_BYTES)
                    self._push_all()
                elif isinstance(key.data, Watched):
                    self._ended_process(key.data)
                else:
                    self._serve(key.data, events)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if is_shut_in(connection):
            _log.warning("a child that is shut in asked for a snapshot")
            connection.close()
            return
        if len(self._connected()) >= MAX_GATEWAYS:
            connection.close()
            return
        connection.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._selector.register(connection, selectors.EVENT_READ, _Gateway(connection))

    def _serve(self, gateway: _Gateway, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read(gateway)
            self._flush(gateway)
        except (OSError, Damaged) as error:
            _log.warning("a gateway's feed ended", extra={"why": str(error)})
            self._drop(gateway)

    def _read(self, gateway: _Gateway) -> None:
        data = gateway.socket.recv(_CHUNK_BYTES)
        if not data:
            raise ConnectionResetError("it hung up")
        for payload in gateway.frames.feed(data):
            message = from_gateway(payload)
            if isinstance(message, Ask):
                self._answer(gateway, message)
            else:
                self._wants(gateway, message)

    def _wants(self, gateway: _Gateway, message: Wants) -> None:
        if self._dealing is None or gateway.refused:
            return
        with self._changed:
            self._dealing.wants(gateway.speaker, pid_of(gateway.socket), message)
        self._deal()

    def _ended_process(self, watched: Watched) -> None:
        assert self._dealing is not None
        with self._changed:
            self._dealing.ended(watched)
        self._deal()

    def _deal(self) -> None:
        if self._dealing is None:
            return
        with self._changed:
            written = {id(one) for one in self._dealing.deal(self._clock.monotonic())}
        for gateway in self._connected() if written else ():
            if id(gateway.waiting) in written:
                self._serve(gateway, selectors.EVENT_WRITE)

    def _connected(self) -> list[_Gateway]:
        found = [key.data for key in self._selector.get_map().values()]
        return [one for one in found if isinstance(one, _Gateway)]

    def _answer(self, gateway: _Gateway, ask: Ask) -> None:
        self._look_at_version(gateway, ask)
        allowances = tuple(self._allow(ask.writer, ask.n, ask.claims))
        with self._changed:
            if (ask.running, ask.digest) != (self._version, self._digest):
                self._push_to(gateway)
            now = self._clock.monotonic()
            current = self._version or ask.running  # before the first publish nobody is behind
            ours = self._published.get(ask.running) == ask.digest if self._version else None
            self._leases, lease_s = self._leases.answer(
                ask, current, now, ours=ours, refused=gateway.refused or ask.refused
            )
            gateway.waiting += to_frame(
                Answer(
                    *(ask.n, lease_s, self._version, gateway.refused, SPOKEN, __version__),
                    allowances,
                )
            )
            self._changed.notify_all()

    def _look_at_version(self, gateway: _Gateway, ask: Ask) -> None:
        gateway.refused = unspoken(ask.spoken, ask.inland, ask.gateway)
        why = gateway.refused or ask.refused
        if why and why != gateway.logged:
            _log.error("a gateway cannot work", extra={"why": why, "pid": ask.pid})
        gateway.logged = why

    def _push_to(self, gateway: _Gateway) -> None:
        """The caller holds the lock."""
        if self._version and not gateway.refused and gateway.pushed != self._digest:
            gateway.waiting += self._push
            gateway.pushed = self._digest

    def _push_all(self) -> None:
        for gateway in self._connected():
            with self._changed:
                self._push_to(gateway)
            self._serve(gateway, selectors.EVENT_WRITE)
        self._deal()

    def _flush(self, gateway: _Gateway) -> None:
        if len(gateway.waiting) > MAX_WAITING_BYTES:
            raise ConnectionAbortedError("it does not read")
        while gateway.waiting:
            try:
                sent = gateway.socket.send(gateway.waiting[:_CHUNK_BYTES])
            except BlockingIOError:
                break
            del gateway.waiting[:sent]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if gateway.waiting else 0)
        self._selector.modify(gateway.socket, wanted, gateway)

    def _drop(self, gateway: _Gateway) -> None:
        """Its lease runs on: a gateway may live though its connection does not."""
        with suppress(KeyError, ValueError):  # it may have gone in this very turn
            self._selector.unregister(gateway.socket)
        gateway.socket.close()


def _listen(path: Path) -> socket.socket:
    """A socket at `path`, 0600, in place of what an earlier life left there."""
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(MAX_GATEWAYS)
    return listener

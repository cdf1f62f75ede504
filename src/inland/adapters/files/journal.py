"""The journal's writing side: one writer's segments, and the thread that keeps committing to them.

What was acknowledged (`done` was called) is durable. A commit starts when the last one returned and
the loop has no more to put into it, and takes whatever waits by then; nothing waits on a timer. A
failed sync ends the process. A disk that is full or takes no writes is waited for, at the start as
well.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from inland.domain.ids import WriterId
from inland.ledger.frames import FrameKind, write
from inland.ports.files import DiskFull, Files, Lock, OpenFile

#: A segment is closed before it grows beyond this, unless one commit alone is larger.
SEGMENT_BYTES = 64 << 20
#: And when it is this old, in seconds: what is booked goes from journals in about that time.
SEGMENT_S = 86_400.0
#: With less room than this the gateway takes no new requests; what is in flight may use it.
RESERVE_BYTES = 256 << 20
#: How often the room on the disk is looked at.
ROOM_PERIOD_S = 1.0
#: How long a commit that found the disk full waits before it is tried again.
FULL_RETRY_S = 0.25
#: Most frames in one commit, so that one never takes unboundedly long.
COMMIT_FRAMES = 4096
#: How long a commit is put off at most while every turn of the loop brings more for it.
GATHER_S = 0.001

Done = Callable[[], None]

_log = logging.getLogger("inland.journal")


class _Commit(NamedTuple):
    """What goes to the disk at once, and who is told then."""

    frames: list[tuple[int, bytes]]
    calls: list[Done]


def segment_name(base: int) -> str:
    """The file name of the segment whose first byte is at `base` in its writer's stream."""
    return f"{base:016x}.frames"


class Segments:
    """The files of one writer's stream, `journal/WRITER/`; for one thread at a time."""

    def __init__(self, files: Files, writer: WriterId, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Make the writer's folder aside, lock it, and rename it into place, durably.

        Raises DiskFull, and leaves nothing behind.
        """
        self._folder = f"journal/{writer}"
        self._files = files
        self._segment_bytes = segment_bytes
        self._base = self._size = 0
        self._began_s = time.monotonic()
        aside = f"journal/new-{writer}"
        files.make_dir(aside)
        try:
            self._lock, self._file = self._fill(aside)
            files.rename(aside, self._folder)
        except DiskFull:
            _empty(files, aside)
            raise
        files.sync_dir("journal")

    def _fill(self, aside: str) -> tuple[Lock, OpenFile]:
        lock = self._files.lock(f"{aside}/lock")
        assert lock is not None, "a fresh folder is nobody else's"
        try:
            file = self._files.open(f"{aside}/{segment_name(0)}", create=True)
        except DiskFull:
            lock.release()
            raise
        self._files.sync_dir(aside)
        return lock, file

    def commit(self, frames: list[tuple[int, bytes]]) -> None:
        """Append `frames`; durable when it returns. After `DiskFull` the same frames come again:
        they go over what was written of them, which nobody cuts, for it may be booked already.
        """
        data = write(frames, self._base + self._size)
        is_old = time.monotonic() - self._began_s > SEGMENT_S
        if self._size and (is_old or self._size + len(data) > self._segment_bytes):
            self._rotate()
        self._file.commit(data)
        self._size += len(data)

    def _rotate(self) -> None:
        base = self._base + self._size
        file = self._files.open(f"{self._folder}/{segment_name(base)}", create=True)
        self._files.sync_dir(self._folder)
        self._file.close()
        self._file, self._base, self._size = file, base, 0
        self._began_s = time.monotonic()

    def close(self) -> None:
        """Let go of the files and the lock: the writer is dead from here on."""
        self._file.close()
        self._lock.release()


def _empty(files: Files, folder: str) -> None:
    """Remove what was made of a writer's folder; what cannot be is swept by booking."""
    with suppress(OSError, DiskFull):
        for name in files.list(folder):
            files.remove(f"{folder}/{name}")
        files.remove_dir(folder)


class JournalWriter:
    """Appends from an event loop, committed by a thread of its own.

    What turns of the loop append one after the other goes into one commit, and so does all that is
    appended while a commit is under way: the busier the loop, the fewer commits a record costs, and
    the less often the thread takes the interpreter from it.

    `on_fatal` is called in that thread with the reason when a write or a sync fails for anything
    but room; it must end the process, for nothing after it can be acknowledged.
    """

    def __init__(
        self,
        files: Files,
        writer: WriterId,
        loop: asyncio.AbstractEventLoop,
        on_fatal: Callable[[str], None],
        *,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self.writer = writer
        self._files = files
        self._loop = loop
        self._on_fatal = on_fatal
        self._reserve_bytes = reserve_bytes
        self._segment_bytes = segment_bytes
        self._stopping = False
        self._frames: list[tuple[int, bytes]] = []
        self._calls: list[Done] = []
        self._is_awaited = False
        self._gathers_until = 0.0
        self._queue: SimpleQueue[_Commit | None] = SimpleQueue()
        self._trouble: str | None = None
        self._looked = time.monotonic()
        self._segments = self._try_to_begin()
        if self._segments is not None:
            self._look_for_room()
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, kind: FrameKind, payload: bytes, done: Done) -> None:
        """Take a frame; `done` runs on the loop once it is durable. Never blocks, never drops."""
        self._frames.append((kind, payload))
        self._calls.append(done)
        if not self._is_awaited:
            self._is_awaited = True
            self._gather()

    def healthy(self) -> bool:
        """Whether there is room for more; when not, dispatch nothing new."""
        return self._trouble is None

    @property
    def trouble(self) -> str | None:
        """Why nothing new may be dispatched, and what would mend it."""
        return self._trouble

    def stop(self) -> None:
        """Commit what waits, end the thread, let go of the files; blocks until then."""
        while self._frames:
            self._hand_over()
        self._queue.put(None)
        self._stopping = True
        self._thread.join()
        if self._segments is not None:
            self._segments.close()

    # On the loop.

    def _gather(self) -> None:
        self._gathers_until = time.monotonic() + GATHER_S
        self._loop.call_soon(self._look, 0)

    def _look(self, before: int) -> None:
        """Put it off for another turn where the last brought more than the `before` frames."""
        waiting = len(self._frames)
        if waiting > before and time.monotonic() < self._gathers_until:
            self._loop.call_soon(self._look, waiting)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give what waits to the thread; `_committed` comes back from there."""
        commit = _Commit(self._frames[:COMMIT_FRAMES], self._calls[:COMMIT_FRAMES])
        del self._frames[:COMMIT_FRAMES], self._calls[:COMMIT_FRAMES]
        self._queue.put(commit)

    def _committed(self, calls: list[Done]) -> None:
        for call in calls:
            call()
        if self._frames:
            self._gather()
        else:
            self._is_awaited = False

    # On the thread.

    def _run(self) -> None:
        try:
            segments = self._begun()
            while segments is not None and self._commit_next(segments):
                if time.monotonic() - self._looked >= ROOM_PERIOD_S:
                    self._look_for_room()
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing is durable any more
            self._on_fatal(f"journal {self.writer}: {error!r}")

    def _begun(self) -> Segments | None:
        """The segments, once there is room for them; None if it was stopped before that."""
        while self._segments is None and not self._stopping:
            time.sleep(FULL_RETRY_S)
            self._segments = self._try_to_begin()
        return self._segments

    def _try_to_begin(self) -> Segments | None:
        try:
            return Segments(self._files, self.writer, self._segment_bytes)
        except DiskFull as full:
            self._set_trouble(str(full))
            return None

    def _commit_next(self, segments: Segments) -> bool:
        try:
            commit = self._queue.get(timeout=ROOM_PERIOD_S)
        except Empty:
            return True
        if commit is None:
            return False
        self._commit(segments, commit.frames)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._committed, commit.calls)
        return True

    def _commit(self, segments: Segments, frames: list[tuple[int, bytes]]) -> None:
        while True:
            try:
                return segments.commit(frames)
            except DiskFull as full:
                self._set_trouble(str(full))
                time.sleep(FULL_RETRY_S)

    def _look_for_room(self) -> None:
        self._looked = time.monotonic()
        free, needed = self._files.free_bytes(), self._reserve_bytes
        mib = f"{free >> 20} MiB free of the {needed >> 20} MiB kept for answers under way"
        self._set_trouble(None if free >= needed else f"the disk is full: {mib}")

    def _set_trouble(self, why: str | None) -> None:
        if (why is None) != (self._trouble is None):  # said once, not at each look
            if why is None:
                _log.warning("the journal can be written again")
            else:
                _log.error("the journal cannot be written: answers are 503", extra={"why": why})
        self._trouble = why

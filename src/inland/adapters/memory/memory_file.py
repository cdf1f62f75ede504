"""Plaintext for engines and jobs: in memory alone, sealed against change, gone when closed.

A memory file has no name on any disk. Who is handed its descriptor can read it and nothing else;
it is gone with the last descriptor. Memory may go to swap: `inland doctor` looks for that.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from inland.adapters.memory.freed import give_up_freed
from inland.adapters.memory.reads import Reads
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.inspection import inspect
from inland.adapters.weights.opened import Opened
from inland.domain.errors import BadInput, Busy
from inland.ports.plaintext import Clean, Plaintext, Room

#: Memory that must be left beside what is held, for the factory itself.
SPARE_BYTES = 256 << 20
_RETRY_AFTER_S = 10
_log = logging.getLogger(__name__)
_LENGTH_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
_SEALS = _LENGTH_SEALS | fcntl.F_SEAL_WRITE


class MemoryFile:
    """Content in memory, from when it was made until `close`.

    `fd`: open for reading only; a child that is to have it inherits it (`pass_fds`), and reads
    `/proc/self/fd/FD` where it wants a path.
    """

    def __init__(self, chunks: Iterable[bytes | memoryview], name: str = "inland") -> None:
        """`name` is shown in /proc; say nothing with it. Raises what `chunks` raises, OSError."""
        self.fd = -1
        made = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.fchmod(made, 0o400)
            for chunk in chunks:
                _write_all(made, chunk)
            fcntl.fcntl(made, fcntl.F_ADD_SEALS, _SEALS)
            self.bytes = os.fstat(made).st_size
            self.fd = os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(made)

    def close(self) -> None:
        """Let go of it: unless a child holds it too, the memory is free."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class MemoryRoom:
    """`ports.plaintext.Room`: sealed against becoming longer or shorter, so that nobody who writes
    to it takes more memory, or has whoever reads it beyond its end."""

    def __init__(self, size: int, name: str = "inland") -> None:
        """As `MemoryFile`; the kernel gives pages of it once they are written. Raises OSError."""
        self.fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.fchmod(self.fd, 0o600)
            os.ftruncate(self.fd, size)
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _LENGTH_SEALS)
        except BaseException:
            self.close()
            raise
        self.bytes = size

    def read(self, at: int, length: int) -> bytes:
        """As the port says."""
        return os.pread(self.fd, length, at)

    def close(self) -> None:
        """Let go of it, as of a `MemoryFile`."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


def _write_all(fd: int, data: bytes | memoryview) -> None:
    """However little the kernel takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class MemoryFiles:
    """`ports.plaintext.Memory`. `isolation`: what holds in the child that inspects weights.
    `reads`: of the loop that takes content in."""

    def __init__(self, isolation: str, reads: Reads | None = None) -> None:
        self._isolation = isolation
        self._reads = Reads() if reads is None else reads

    def hold(self, size: int, chunks: Iterable[bytes | memoryview]) -> Plaintext:
        """As the port says."""
        free = _available_bytes()
        if size + SPARE_BYTES > free:
            told = f"{size >> 20:,} MiB of memory are needed for plaintext, and {free >> 20:,} free"
            raise Busy(told, _RETRY_AFTER_S)
        return MemoryFile(chunks)

    def room(self, size: int) -> Room:
        """As the port says."""
        if (free := _available_bytes()) < SPARE_BYTES:
            told = f"{free >> 20:,} MiB of memory are free, and {SPARE_BYTES >> 20:,} must be left"
            raise Busy(told, _RETRY_AFTER_S)
        return MemoryRoom(size)

    def inspect(self, file: Plaintext) -> Clean:
        """As the port says."""
        try:
            found = inspect(Opened(file.fd, file.bytes), self._isolation)
        except Refused as error:
            raise BadInput("model", str(error)) from None
        return Clean(found.kind, found.licence, found.isolation, found.role)

    def let_go(self) -> None:
        """As the port says."""
        give_up_freed()
        try:
            self._reads.overwrite()
        except OSError as error:
            _log.warning("what was read last stays in memory", extra={"why": str(error)})


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0

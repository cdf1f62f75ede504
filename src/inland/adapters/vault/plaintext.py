"""Plaintext for engines and trainers: in memory alone, sealed against change, gone when closed.

A memory file has no name on any disk. Who is handed its descriptor can read it and nothing else;
it is gone with the last descriptor. Memory may go to swap: `inland doctor` looks for that.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Self

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class MemoryFile:
    """Content in memory, from when it was made until `close`.

    `fd`: open for reading only; a child that is to have it inherits it (`pass_fds`), and reads
    `/proc/self/fd/FD` where it wants a path.
    """

    def __init__(self, chunks: Iterable[bytes], name: str = "inland") -> None:
        """`name` is shown in /proc; say nothing with it. Raises what `chunks` raises, OSError."""
        made = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.fchmod(made, 0o400)
            with open(made, "wb", closefd=False) as file:
                file.writelines(chunks)
            fcntl.fcntl(made, fcntl.F_ADD_SEALS, _SEALS)
            self.bytes = os.fstat(made).st_size
            self.fd = os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(made)

    @property
    def path(self) -> str:
        """Where whoever holds the descriptor under the same number finds it as a file."""
        return f"/proc/self/fd/{self.fd}"

    def close(self) -> None:
        """Let go of it: unless a child holds it too, the memory is free."""
        if self.fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

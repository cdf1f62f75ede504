"""Files as the books need them: what is durable, and when, is said by each operation.

Paths are relative to the factory's home, with `/`. Only `sync`, `commit` and `sync_dir` make
anything durable; everything else may be forgotten by a crash, whole or in part. A rename is atomic,
between folders too. Every implementation passes `tests/contract/files`.
"""

from dataclasses import dataclass
from typing import Protocol

from inland.domain.errors import InlandError


@dataclass
class DiskFull(InlandError):
    """No room for the write to `path`; what was written of it may be any prefix."""

    path: str

    def __str__(self) -> str:
        return f"no room left for {self.path}: make room on its disk"


class DiskReadOnly(DiskFull):
    """The disk takes no writes; like a full one it may take them again, and lost nothing."""

    def __str__(self) -> str:
        return f"{self.path} is on a read-only disk: mount it writable again"


class OpenFile(Protocol):
    """One file held open. Appends go to its end at the time; one appender at a time."""

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at the end. Raises `DiskFull`; a prefix may then be there, and the
        next append through this file goes over it."""
        ...

    def commit(self, data: bytes | bytearray | memoryview) -> None:
        """`append` and `sync` as one operation: durable when it returns."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end of the file."""
        ...

    def read_into(self, offset: int, room: memoryview) -> int:
        """The same into `room`, as much as it holds: how many bytes that were."""
        ...

    def size(self) -> int:
        """Bytes in the file now, durable or not."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; not durable before a sync."""
        ...

    def overwrite(self) -> None:
        """Zeros in place of all its bytes, as far as the disk writes in place; not durable before a
        sync."""
        ...

    def sync(self) -> None:
        """Make the file's bytes and size durable; its name is its folder's to keep (`sync_dir`)."""
        ...

    def close(self) -> None:
        """Let go of the file; does not sync."""
        ...


class Lock(Protocol):
    """A lock that ends with the process that holds it."""

    def release(self) -> None:
        """Let another take it."""
        ...


class Files(Protocol):
    """A tree of private files and folders. Raises `OSError` for what the disk refuses."""

    def open(self, path: str, *, create: bool = False) -> OpenFile:
        """Open for reading and appending; with `create`, make it when missing.

        Raises `FileNotFoundError` when it is missing and `create` is false.
        """
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or folder has that name now."""
        ...

    def list(self, path: str) -> list[str]:
        """Sorted names in the folder; empty when there is no such folder."""
        ...

    def make_dir(self, path: str) -> None:
        """Make one folder; its parent must exist. Raises `FileExistsError`."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file or folder another name; a file of that name is replaced at once."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file. Raises `FileNotFoundError`."""
        ...

    def remove_dir(self, path: str) -> None:
        """Remove an empty folder."""
        ...

    def sync_dir(self, path: str) -> None:
        """Make the names in a folder durable; the home itself is the empty path."""
        ...

    def lock(self, path: str) -> Lock | None:
        """Take the lock file at `path`, made when missing; None when a living process holds it."""
        ...

    def free_bytes(self) -> int:
        """Room left for more, in bytes."""
        ...

"""Copying and hashing large files in one pass, bounded, synced, and never half there."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from inland.adapters.weights.leftovers import hold, sweep
from inland.domain.errors import Damaged

#: Called with the bytes done and the bytes there are.
Progress = Callable[[int, int], None]
_CHUNK_BYTES = 1024 * 1024
#: Of a file's name: what `sha256sum` writes in another way, and what ends or breaks its line.
_UNPLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
UNPLAIN = "has a control character, a backslash or no UTF-8 in its name"
_PART = ".part-"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def quiet(_done: int, _total: int) -> None:
    """The progress of what nobody watches."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex; of a folder, that of what `sha256sum` prints of all its files, by
    their paths in it, in the order of those paths' bytes. Raises Damaged for a linked folder and
    for what is no file: what is in it would be loaded and not be counted; and for a name that such
    a line cannot hold."""
    if path.is_dir():
        names = sorted(str(one.relative_to(path)) for one in path.rglob("*") if _is_hashed(one))
        return sums_sha256(((name, file_sha256(path / name)) for name in names), str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums_sha256(sums: Iterable[tuple[str, str]], what: str) -> str:
    """A folder's hash, of its files' names and hashes in the order of the names: that of no other
    folder. Raises Damaged for a name that could stand for another line."""
    digest = hashlib.sha256()
    for name, one in sums:
        if not is_plain(name):
            raise Damaged(what, f"holds {name!r}, which {UNPLAIN}")
        digest.update(f"{one}  {name}\n".encode())
    return digest.hexdigest()


def is_plain(name: str) -> bool:
    """Whether a file's name can stand in a line of sums as it is."""
    return _UNPLAIN.search(name) is None


def _is_hashed(path: Path) -> bool:
    if path.is_file():
        return True
    if path.is_symlink() or not path.is_dir():
        raise Damaged(str(path), "is neither a file nor a folder of its own")
    return False


def demand(path: Path, sha256: str) -> None:
    """Raise Damaged unless the file has that hash."""
    _compare(str(path), file_sha256(path), sha256)


def put(source: BinaryIO, target: Path, sha256: str, size: int, progress: Progress) -> None:
    """Write `size` bytes of `source` to `target`, synced, there whole or not at all.

    Raises Damaged when size or hash differ, OSError when the disk refuses; then nothing is left,
    and what a kill left of an earlier try is removed.
    """
    sweep(target.parent, f"{target.name}{_PART}")
    part = target.with_name(f"{target.name}{_PART}{secrets.token_hex(4)}")
    fd = os.open(part, _NEW, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            hold(fd)
            _compare(target.name, _copy(source, file, size, progress), sha256)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def keep(path: Path, data: bytes) -> None:
    """Write a small file, synced, there whole or not at all."""
    part = path.with_name(f"{path.name}{_PART}{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(part, _NEW, 0o600), "wb") as file:
            file.write(data)
        settle(part, path)
    finally:
        part.unlink(missing_ok=True)


def settle(part: Path, target: Path) -> None:
    """Give a file that is whole its name, durably."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    sync_folder(target.parent)


def _compare(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise Damaged(what, f"its sha256 is {found[:16]}…, not the {expected[:16]}… it must be")


def _copy(source: BinaryIO, target: BinaryIO, size: int, progress: Progress) -> str:
    """Copy at most `size` bytes and hash them; one byte too many is found out by the hash."""
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(min(_CHUNK_BYTES, size + 1 - done)):
        digest.update(chunk)
        target.write(chunk)
        done += len(chunk)
        progress(min(done, size), size)
    return digest.hexdigest()


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

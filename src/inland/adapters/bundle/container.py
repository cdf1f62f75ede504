"""The container of a bundle: a tar whose every header follows from its signed manifest.

So nothing of it is parsed but the manifest: what is not, byte for byte, the one form that the
manifest has is refused, be it a link, a device, a path that leads out, a second file of one name,
or a size that grows.
"""

import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from inland.adapters.bundle.manifest import NOTE_BYTES, WHAT, Manifest, opened
from inland.domain.errors import Damaged

MANIFEST = "MANIFEST"
CHUNK_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)

#: Called with the bytes done and the bytes there are.
Progress = Callable[[int, int], None]
#: Called with each file's path and its bytes in pieces, which are to be read before the next.
Take = Callable[[str, Iterator[bytes]], None]


def _quiet(_done: int, _total: int) -> None:
    """The progress of what nobody watches."""


def header(name: str, size: int) -> bytes:
    """What comes before a file's bytes: a plain file, private, without owner or time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def write(
    out: BinaryIO,
    note: str,
    manifest: Manifest,
    path_of: Callable[[str], Path],
    progress: Progress,
) -> str:
    """Write the bundle; its SHA-256. Raises Damaged where a file is not what was signed."""
    digest, done = sha256(), 0

    def put(data: bytes) -> None:
        digest.update(data)
        out.write(data)

    signed = note.encode()
    put(header(MANIFEST, len(signed)) + signed + _padding(len(signed)))
    for entry in manifest.entries:
        put(header(entry.path, entry.size))
        hashed, size = sha256(), 0
        with path_of(entry.path).open("rb") as file:
            while chunk := file.read(min(CHUNK_BYTES, entry.size - size)):
                hashed.update(chunk)
                put(chunk)
                size, done = size + len(chunk), done + len(chunk)
                progress(done, manifest.bytes)
        if hashed.hexdigest() != entry.sha256:
            raise Damaged(entry.path, "was changed while the bundle was made")
        put(_padding(entry.size))
    put(_END)
    return digest.hexdigest()


def read_manifest(source: BinaryIO, vkey: str) -> tuple[Manifest, str]:
    """The manifest at the bundle's beginning, believed under that key alone; and its note."""
    first = _take(source, _BLOCK)
    try:
        info = tarfile.TarInfo.frombuf(first, "ascii", "strict")
    except (tarfile.TarError, ValueError):
        raise Damaged(WHAT, "does not begin as one") from None
    if info.name != MANIFEST or not 0 < info.size <= NOTE_BYTES:
        raise Damaged(WHAT, "does not begin with its manifest")
    if first != header(MANIFEST, info.size):
        raise Damaged(WHAT, "does not begin as one")
    try:
        note = _take(source, info.size).decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged(WHAT, "its manifest is no text") from None
    _demand(source, _padding(info.size), "its manifest's end")
    return opened(note, vkey), note


def _tell(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


class _Pieces:
    """The bytes of one file, hashed as they pass."""

    def __init__(self, source: BinaryIO, size: int, tell: Callable[[int], None]) -> None:
        self.digest = sha256()
        self._source, self._size, self._done, self._tell = source, size, 0, tell

    def __iter__(self) -> Iterator[bytes]:
        while self._done < self._size:
            chunk = _take(self._source, min(CHUNK_BYTES, self._size - self._done))
            self.digest.update(chunk)
            self._done += len(chunk)
            self._tell(self._done)
            yield chunk


def read(source: BinaryIO, vkey: str, take: Take, progress: Progress) -> tuple[Manifest, str]:
    """Read a bundle from front to end. Raises Damaged at the first thing that is not as signed.

    Only when it returns is anything of what was taken certain.
    """
    manifest, note = read_manifest(source, vkey)
    done = 0
    for entry in manifest.entries:
        _demand(source, header(entry.path, entry.size), entry.path)
        pieces = _Pieces(source, entry.size, partial(_tell, progress, done, manifest.bytes))
        take(entry.path, iter(pieces))
        _pass_by(entry.path, iter(pieces))
        if pieces.digest.hexdigest() != entry.sha256:
            raise Damaged(WHAT, f"{entry.path} in it is not what was signed")
        _demand(source, _padding(entry.size), f"the end of {entry.path}")
        done += entry.size
    _demand(source, _END, "its end")
    if source.read(1):
        raise Damaged(WHAT, "goes on behind its end")
    return manifest, note


def _take(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise Damaged(WHAT, "ends too early")
    return data


def _demand(source: BinaryIO, expected: bytes, where: str) -> None:
    found = source.read(len(expected))
    if found != expected:
        raise Damaged(WHAT, f"holds {_told(found)} where {where} belongs")


def _told(found: bytes) -> str:
    """What stands there instead, for people."""
    kinds = {
        tarfile.SYMTYPE: "a link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a pipe",
        tarfile.DIRTYPE: "a folder",
    }
    with suppress(tarfile.TarError, ValueError):
        info = tarfile.TarInfo.frombuf(found[:_BLOCK], "utf-8", "surrogateescape")
        return f"{kinds.get(info.type, 'another file')} ({info.name[:80]!r}, {info.size} bytes)"
    return "nothing" if not found.strip(b"\0") else "something else"


def verify(file: Path, vkey: str, progress: Progress = _quiet) -> Manifest:
    """Hold a whole bundle to its manifest; nothing is written."""
    with file.open("rb") as source:
        return read(source, vkey, _pass_by, progress)[0]


def _pass_by(_path: str, pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def unpack(file: Path, vkey: str, folder: Path, progress: Progress) -> None:
    """Its files in a new folder, synced. What is there is certain once this returns."""

    def write_file(path: str, pieces: Iterator[bytes]) -> None:
        target = folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o600), "wb") as out:
            for piece in pieces:
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())

    folder.mkdir(mode=0o700)
    with file.open("rb") as source:
        _, note = read(source, vkey, write_file, progress)
    (folder / MANIFEST).write_text(note)

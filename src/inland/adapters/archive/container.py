"""The container of a backup: a tar of plain files, written in one way only.

It is streamed both ways. Its last member is the SHA-256 of everything before it, so that a bit that
changed anywhere, a missing end or an added byte is refused: `docs/formats.md`.
"""

import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from inland.adapters.archive.names import DIGEST, HEAD, MANIFEST, Place, demand_after
from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.records import Record

FORMAT = "inland-backup/1"
#: A file that is larger goes on in members `PATH~0001`, ...: a ustar header counts to 8 GiB.
PIECE_BYTES = 4 << 30
CHUNK_BYTES = 1 << 20
HEAD_LIMIT_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup: `size` bytes, which `chunks` gives in pieces."""

    path: str
    size: int
    chunks: Callable[[], Iterable[bytes]]


def whole(path: str, data: bytes) -> Part:
    """A part that is at hand."""
    return Part(path, len(data), lambda: [data])


def header(name: str, size: int) -> bytes:
    """The one header a member may have: a plain file, private, without owner or time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def piece_name(path: str, number: int) -> str:
    """What the member with a file's `number`th piece is called."""
    return f"{path}~{number:04d}" if number else path


def block_padding(size: int) -> bytes:
    """What follows `size` bytes, up to the next header."""
    return bytes(-size % _BLOCK)


def manifest_line(path: str, size: int, digest: str) -> bytes:
    """What the manifest says of one file."""
    return canonical.encode({"path": path, "sha256": digest, "size": size}) + b"\n"


def tail(digest: str) -> bytes:
    """How a backup ends whose bytes up to here have that hash."""
    data = digest.encode() + b"\n"
    return header(DIGEST, len(data)) + data + block_padding(len(data)) + _END


class Writer:
    """Writes a backup to `out`, part by part in the order of their places."""

    def __init__(self, out: BinaryIO, head: Record, piece_bytes: int = PIECE_BYTES) -> None:
        self._out = out
        self._piece_bytes = piece_bytes
        self._digest = sha256()
        self._manifest = bytearray()
        self._place: Place | None = None
        self.add(whole(HEAD, canonical.encode({"format": FORMAT, **head})))

    def add(self, part: Part) -> None:
        """Write a part. Raises Damaged when it gives fewer or more bytes than it said."""
        self._place = demand_after(self._place, part.path)
        digest, done = sha256(), 0
        chunks = _cut(part.chunks(), self._piece_bytes)
        for number, start in enumerate(range(0, max(part.size, 1), self._piece_bytes)):
            size = min(part.size - start, self._piece_bytes)
            self._write(header(piece_name(part.path, number), size))
            end = start + size
            while done < end and (chunk := next(chunks, b"")):
                digest.update(chunk)
                self._write(chunk)
                done += len(chunk)
            self._write(block_padding(size))
        if done != part.size or next(chunks, b""):
            raise Damaged(part.path, f"is not the {part.size} bytes that were to be kept")
        self._manifest += manifest_line(part.path, part.size, digest.hexdigest())

    def finish(self) -> str:
        """Write manifest and end; the backup's SHA-256."""
        self.add(whole(MANIFEST, bytes(self._manifest)))
        digest = self._digest.hexdigest()
        self._out.write(tail(digest))
        return digest

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._out.write(data)


def _cut(chunks: Iterable[bytes], piece_bytes: int) -> Iterator[bytes]:
    """The same bytes, none of whose chunks reaches over the end of a piece."""
    room = piece_bytes
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            cut = chunk[at : at + room]
            yield cut
            at += len(cut)
            room = room - len(cut) or piece_bytes

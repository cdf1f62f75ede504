"""Reading a backup as a stranger's file: nothing in it is believed but what its one form allows.

Headers are parsed by `tarfile`, written again and compared; paths are those of an allow-list, in
order; no size is trusted, for bytes are only passed on, a chunk at a time.
"""

import tarfile
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, BinaryIO

from inland.adapters.archive.container import (
    CHUNK_BYTES,
    FORMAT,
    HEAD_LIMIT_BYTES,
    PIECE_BYTES,
    block_padding,
    header,
    manifest_line,
    piece_name,
    tail,
)
from inland.adapters.archive.names import HEAD, MANIFEST, Place, demand_after
from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.canonical import Malformed
from inland.ledger.records import Record

_WHAT = "the backup"
_BLOCK = tarfile.BLOCKSIZE


class Reader:
    """Reads one backup from front to end. Raises Damaged at the first thing that does not hold.

    Only when `parts` is through is anything of it certain; then `digest` is its SHA-256.
    """

    def __init__(self, source: BinaryIO, piece_bytes: int = PIECE_BYTES) -> None:
        """Read the head; `head` says what the backup says of itself."""
        self._source = source
        self._piece_bytes = piece_bytes
        self._digest, self._manifest = sha256(), sha256()
        self._place: Place | None = None
        self.digest = ""
        self._next()
        if self._member[0] != HEAD or self._member[1] > HEAD_LIMIT_BYTES:
            raise Damaged(_WHAT, "does not begin as one")
        self.head = _head(b"".join(self._part(HEAD)))

    def parts(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The path and the bytes of each file, which are to be read before the next."""
        while True:
            path = self._member[0]
            if path == MANIFEST:
                return self._finish()
            chunks = self._part(path)
            yield path, chunks
            for _ in chunks:
                pass

    def _part(self, path: str) -> Iterator[bytes]:
        """All bytes of the file that begins here; then the next member's header is read."""
        self._place = demand_after(self._place, path)
        digest, total, number = sha256(), 0, 0
        while self._member[0] == piece_name(path, number):
            size = self._member[1]
            if size > self._piece_bytes or (number and not size):
                raise Damaged(_WHAT, f"{path} lies in it in pieces of another size")
            for chunk in self._bytes(size):
                digest.update(chunk)
                yield chunk
            total, number = total + size, number + 1
            self._next()
            if size < self._piece_bytes:
                break
        self._manifest.update(manifest_line(path, total, digest.hexdigest()))

    def _finish(self) -> None:
        """The manifest is that of the parts, and the end that of all bytes before it."""
        made, said = self._manifest.digest(), sha256()
        for chunk in self._part(MANIFEST):
            said.update(chunk)
        if said.digest() != made:
            raise Damaged(_WHAT, "its manifest is not of what it holds")
        digest = self._before.hexdigest()
        expected = tail(digest)
        if self._header + self._source.read(len(expected)) != expected:
            raise Damaged(_WHAT, "its bytes are not those that were written")
        self.digest = digest

    def _next(self) -> None:
        """Read a member's header: its name and size."""
        self._before = self._digest.copy()
        self._header = data = self._take(_BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(data, "ascii", "strict")
            same = header(info.name, info.size) == data
        except (tarfile.TarError, ValueError) as error:
            raise Damaged(_WHAT, f"holds what is no file's header ({error})") from None
        if not same:
            raise Damaged(_WHAT, f"has a header that is not in its one form ({info.name[:80]!r})")
        self._member = (info.name, info.size)

    def _bytes(self, size: int) -> Iterator[bytes]:
        """The member's bytes, and past its padding."""
        left = size
        while left:
            chunk = self._take(min(left, CHUNK_BYTES))
            left -= len(chunk)
            yield chunk
        padding = block_padding(size)
        if padding and self._take(len(padding)) != padding:
            raise Damaged(_WHAT, "holds bytes between its files")

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise Damaged(_WHAT, "ends too early")
        self._digest.update(data)
        return data


def _head(data: bytes) -> Record:
    try:
        head = canonical.decode(data)
    except Malformed as error:
        raise Damaged(_WHAT, f"its head cannot be read ({error})") from None
    found: Any = head.get("format")
    if found != FORMAT:
        raise Damaged(_WHAT, f"is of format {found!r}; this version reads {FORMAT}")
    return head

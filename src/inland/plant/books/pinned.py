"""The books at one moment, for a backup: which bytes of which files belong to a copied database.

Nothing is held up for it. What is booked lies in files that only grow, and the copy says how far.
What is not booked yet lies in journals, whose segments are held open before the copy is made: one
that is removed meanwhile is still read.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from inland.domain.errors import Busy, Damaged
from inland.ledger import canonical, tiles
from inland.plant.books import journals
from inland.plant.books.keys import Head, last_head
from inland.plant.books.shelves import volume_path
from inland.plant.books.tile_files import (
    CHECKPOINT,
    FOLDER,
    TileFiles,
    file_bytes,
    is_suffix,
    suffix,
)
from inland.ports.books import BookTables, Log, Position
from inland.ports.files import Files, OpenFile
from inland.ports.store import Store

#: How often it is begun again where journals went on faster than the copy was made.
TRIES = 5
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of the home: its first `size` bytes, which `chunks` gives in pieces."""

    path: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


@contextmanager
def pinned(
    files: Files, copy: Callable[[], AbstractContextManager[Store]]
) -> Iterator[tuple[Store, list[PinnedFile]]]:
    """A copy of the database and the files that belong to it, in no order.

    `copy` makes one, of one moment, in place of any earlier. Raises Busy, and Damaged.
    """
    for _ in range(TRIES):
        held = _Segments(files)
        try:
            held.hold()
            head = last_head(files)
            with copy() as store, store.read() as transaction:
                books = transaction.books
                positions = books.positions()
                if not held.hold() or held.reach(positions):
                    found = [*held.pin(positions), *_volumes(files, books)]
                    yield store, [*found, *_site_logs(files, books.logs(), head)]
                    return
        finally:
            held.let_go()
    raise Busy("journals grow faster than they can be copied", 60)


class _Segments:
    """The segments of all journals that were there at any time since this began, held open."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._held: dict[str, dict[int, tuple[str, OpenFile]]] = {}

    def hold(self) -> bool:
        """Open what is not open yet; whether there was any."""
        new = False
        for writer in journals.writers(self._files):
            held = self._held.setdefault(writer, {})
            for segment in journals.segments(self._files, writer):
                if segment.base not in held:
                    try:
                        held[segment.base] = segment.path, self._files.open(segment.path)
                    except FileNotFoundError:
                        continue  # booked and removed just now: the copy will have it
                    new = True
        return new

    def reach(self, positions: dict[str, Position]) -> bool:
        """Whether nothing came and went unseen: each journal is whole from where it is booked."""
        unknown = {writer: Position(writer) for writer in self._held}
        return all(
            self._is_whole(writer, position.booked)
            for writer, position in (unknown | positions).items()
            if not position.gone and position.damage is None
        )

    def _is_whole(self, writer: str, booked: int) -> bool:
        held = sorted(self._held.get(writer, {}).items())
        ends = [base + file.size() for base, (_, file) in held]
        following = [base for base, _ in held[1:]]
        return bool(held) and held[0][0] <= booked <= ends[-1] and ends[:-1] == following

    def pin(self, positions: dict[str, Position]) -> Iterator[PinnedFile]:
        """All of them as they are now, but for journals that the copy says are gone."""
        for writer, held in self._held.items():
            if not positions.get(writer, Position(writer)).gone:
                for path, file in held.values():
                    size = file.size()
                    yield PinnedFile(path, size, _journal(file, size))

    def let_go(self) -> None:
        """Close them."""
        for held in self._held.values():
            for _, file in held.values():
                file.close()


def _journal(file: OpenFile, size: int) -> Callable[[], Iterator[bytes]]:
    """A torn tail that sealing cuts meanwhile is made up for: nothing but zeros is torn as well."""

    def chunks() -> Iterator[bytes]:
        for chunk, length in _chunks(file, size):
            yield chunk.ljust(length, b"\0")

    return chunks


def _chunks(file: OpenFile, size: int) -> Iterator[tuple[bytes, int]]:
    """The file's first `size` bytes in pieces, and how long each should be."""
    for at in range(0, size, CHUNK_BYTES):
        length = min(CHUNK_BYTES, size - at)
        yield file.read(at, length), length


def _volumes(files: Files, books: BookTables) -> Iterator[PinnedFile]:
    """Booked records: as far as the copy says. What is behind that is of a later booking."""
    for volume in books.volumes():
        path = volume_path(volume.tenant, volume.writer)
        yield PinnedFile(path, volume.bytes, _opened(files, path, volume.bytes))


def _opened(files: Files, path: str, size: int) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        try:
            file = files.open(path)
        except FileNotFoundError:
            raise Damaged(path, "missing; see what inland ledger check says") from None
        try:
            for chunk, _ in _chunks(file, size):
                yield chunk
        finally:
            file.close()

    return chunks


def _site_logs(files: Files, logs: list[Log], before: Head | None) -> Iterator[PinnedFile]:
    """The public files of all logs as the copy has them, and the last head that was signed.

    `before`: the head before the copy was made. The log that it ends is the one in `ledger/`.
    """
    signed = {log.origin: log.checkpoint for log in logs if log.checkpoint is not None}
    head = _head(files, logs, before)
    if head is not None:
        yield _whole("keys/head", canonical.encode(head.facts()))
        checkpoint = signed.get(head.origin)
        if checkpoint is not None:
            yield _whole(CHECKPOINT, checkpoint.note.encode())
            yield from _tiles(files, suffix(head.origin), checkpoint.size)
    for name in files.list(FOLDER):
        if is_suffix(name) and (head is None or name != suffix(head.origin)):
            yield from _walk(files, f"{FOLDER}/{name}")


def _head(files: Files, logs: list[Log], before: Head | None) -> Head | None:
    """The last head, of a log that the copy knows: the key may have been rotated meanwhile."""
    now, origins = last_head(files), {log.origin for log in logs}
    if now is None or before is None or now.origin in origins or before.origin not in origins:
        return now
    log = next(log for log in reversed(logs) if log.checkpoint is not None)
    assert log.checkpoint is not None
    return Head(log.origin, log.checkpoint.size, log.checkpoint.root)


def _tiles(files: Files, log: str, size: int) -> Iterator[PinnedFile]:
    tile_files = TileFiles(files, log)
    for path in tiles.tile_paths(size):
        yield PinnedFile(f"{FOLDER}/{path}", file_bytes(path), _tile(tile_files, path))


def _whole(path: str, data: bytes) -> PinnedFile:
    return PinnedFile(path, len(data), lambda: iter([data]))


def _tile(tile_files: TileFiles, path: str) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        try:
            yield tile_files.read(path)
        except FileNotFoundError:
            raise Damaged(path, "missing; see what inland ledger check says") from None

    return chunks


def _walk(files: Files, path: str) -> Iterator[PinnedFile]:
    for name in files.list(path):
        if name.endswith(".new"):
            continue
        below = f"{path}/{name}"
        try:
            file = files.open(below)
        except IsADirectoryError:
            yield from _walk(files, below)
            continue
        size = file.size()
        file.close()
        yield PinnedFile(below, size, _opened(files, below, size))

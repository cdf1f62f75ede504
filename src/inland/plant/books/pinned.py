"""The books at one moment, for a backup: which bytes of which files belong to a copied database.

Nothing is held up for it. What is booked lies in files that only grow, and the copy says how far.
What is not booked yet lies in journals, whose segments are held open before the copy is made: one
that is removed meanwhile is still read.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from inland.domain.errors import Busy, Damaged
from inland.ledger import tiles
from inland.plant.books import journals
from inland.plant.books.shelves import volume_path
from inland.plant.books.tile_files import CHECKPOINT, FOLDER, TileFiles, is_suffix
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
            with copy() as store, store.read() as transaction:
                books = transaction.books
                positions = books.positions()
                if not held.hold() or held.reach(positions):
                    found = [*held.pin(positions), *_volumes(files, books)]
                    found += _ledger(files, books.current_log())
                    yield store, found
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


def _ledger(files: Files, log: Log | None) -> Iterator[PinnedFile]:
    """The public files of the log under the copy's checkpoint, and of logs that were set aside."""
    if log is not None and log.checkpoint is not None:
        note = log.checkpoint.note.encode()
        yield PinnedFile(CHECKPOINT, len(note), lambda: iter([note]))
        tile_files = TileFiles(files)
        for path in tiles.tile_paths(log.checkpoint.size):
            size = tile_files.size(path)
            yield PinnedFile(f"{FOLDER}/{path}", size, _tile(tile_files, path))
    for name in files.list(FOLDER):
        if is_suffix(name):
            yield from _walk(files, f"{FOLDER}/{name}")


def _tile(tile_files: TileFiles, path: str) -> Callable[[], Iterator[bytes]]:
    return lambda: iter([tile_files.read(path)])


def _walk(files: Files, path: str) -> Iterator[PinnedFile]:
    for name in files.list(path):
        below = f"{path}/{name}"
        try:
            file = files.open(below)
        except IsADirectoryError:
            yield from _walk(files, below)
            continue
        size = file.size()
        file.close()
        yield PinnedFile(below, size, _opened(files, below, size))

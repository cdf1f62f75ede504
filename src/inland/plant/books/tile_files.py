"""`ledger/`: the site logs as static files that any web server may serve as they are.

The log that grows lies in `ledger/`; one that ended in `ledger/SUFFIX/`, where SUFFIX ends its
origin. Tiles are synced, for a stored checkpoint relies on them. Published checkpoints are not:
the stored ones are published again whenever the factory starts.
"""

import re
from collections.abc import Sequence
from contextlib import suppress

from inland.ledger.tiles import HASH_BYTES, TILE_WIDTH
from inland.plant.books.durable import Folders, parent, read_file, write_file
from inland.ports.files import Files

FOLDER = "ledger"
CHECKPOINT = f"{FOLDER}/checkpoint"
#: An entry in a bundle: two bytes of length before it.
_BUNDLES, _ENTRY_BYTES = "tile/entries/", 2 + HASH_BYTES
_SUFFIX = re.compile(r"[0-9a-f]{8}\Z")


def suffix(origin: str) -> str:
    """What ends an origin, and names the log below `ledger/`."""
    return origin.rpartition("/")[2]


def is_suffix(name: str) -> bool:
    """Whether a log that ended may lie in a folder of that name."""
    return _SUFFIX.match(name) is not None


def file_bytes(path: str) -> int:
    """How many bytes a tile or bundle has, as its path says."""
    _, _, width = path.partition(".p/")
    return int(width or TILE_WIDTH) * (_ENTRY_BYTES if _BUNDLES in path else HASH_BYTES)


def published_suffix(files: Files) -> str | None:
    """The suffix of the log whose checkpoint is published as the newest; None if none is."""
    try:
        origin = read_file(files, CHECKPOINT).partition(b"\n")[0].decode("ascii", "replace")
    except FileNotFoundError:
        return None
    return suffix(origin) if is_suffix(suffix(origin)) else None


def prepare(files: Files) -> None:
    """Make the folders that everything here lies in."""
    folders = Folders(files)
    for folder in (FOLDER, "keys", "journal", "records"):
        folders.ensure(folder)


class TileFiles:
    """The tiles of one log, and its published checkpoint."""

    def __init__(self, files: Files, log: str) -> None:
        """`log`: the suffix of its origin."""
        self._files = files
        self._aside = f"{FOLDER}/{log}"
        self._folders = Folders(files, FOLDER)

    @property
    def folder(self) -> str:
        """Where they are now."""
        return self._aside if self.has_ended() else FOLDER

    def has_ended(self) -> bool:
        """Whether they lie where those of a log do that ended."""
        return self._files.exists(f"{self._aside}/tile")

    def read(self, path: str) -> bytes:
        """One tile or bundle by its public path. Raises FileNotFoundError.

        Safe while another process sets the log aside: that ends before the next log's first tile,
        so what was read in `ledger/` is this log's if this log is still there afterwards.
        """
        if self.folder == FOLDER:
            with suppress(FileNotFoundError):
                data = self._read(f"{FOLDER}/{path}")
                if self.folder == FOLDER:
                    return data
        return self._read(f"{self._aside}/{path}")

    def _read(self, path: str) -> bytes:
        """A partial one that is gone since the full one is there is read from that."""
        try:
            return read_file(self._files, path)
        except FileNotFoundError:
            full, partial, _ = path.partition(".p/")
            if not partial:
                raise
            return read_file(self._files, full)[: file_bytes(path)]

    def write(self, new: Sequence[tuple[str, bytes]]) -> None:
        """Write tiles and bundles, durably. Their data never changes, so doing it again is safe."""
        touched: dict[str, None] = {}
        for path, data in new:
            full = f"{FOLDER}/{path}"
            self._folders.ensure(parent(full))
            write_file(self._files, full, data)
            touched[parent(full)] = None
        for folder in touched:
            self._files.sync_dir(folder)

    def remove_partials(self, new: Sequence[tuple[str, bytes]]) -> None:
        """Remove the partial tiles that full ones among `new` have replaced."""
        for path, _ in new:
            if ".p/" not in path:
                folder = f"{FOLDER}/{path}.p"
                for name in self._files.list(folder):
                    self._files.remove(f"{folder}/{name}")
                if self._files.exists(folder):
                    self._files.remove_dir(folder)

    def publish(self, note: str) -> None:
        """Let `ledger/checkpoint` be `note`: readers meet the old one or the new one."""
        _swap(self._files, CHECKPOINT, note)

    def checkpoint(self) -> str | None:
        """The checkpoint published last of a log that ended; None if there is none to read."""
        try:
            return read_file(self._files, f"{self._aside}/checkpoint").decode()
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def publish_last(self, note: str) -> None:
        """Publish the last checkpoint of a log that ended, where it stays."""
        if not self._files.exists(self._aside):
            self._files.make_dir(self._aside)
        _swap(self._files, f"{self._aside}/checkpoint", note)

    def end(self, note: str) -> None:
        """Move what the growing log has in `ledger/` to where it stays, its last checkpoint first.

        Doing it again does nothing. Nothing is synced here: the next log's first tile syncs the
        folder that these leave. `ledger/checkpoint` stays until the next log's replaces it.
        """
        self.publish_last(note)
        if self.folder == FOLDER:
            self._files.rename(f"{FOLDER}/tile", f"{self._aside}/tile")


def set_aside(files: Files, log: str | None, fallback: str) -> None:
    """Move what is published of an earlier log to `ledger/LOG/`, durably.

    It is `ledger/FALLBACK/` when nothing says which log it was, or that has its own already.
    """
    there = [name for name in ("tile", "checkpoint") if files.exists(f"{FOLDER}/{name}")]
    folder = f"{FOLDER}/{log or fallback}"
    if any(files.exists(f"{folder}/{name}") for name in there):
        folder = f"{FOLDER}/{fallback}"
    if there:
        if not files.exists(folder):
            files.make_dir(folder)
        for name in there:
            files.rename(f"{FOLDER}/{name}", f"{folder}/{name}")
        files.sync_dir(FOLDER)


def _swap(files: Files, path: str, note: str) -> None:
    aside = f"{path}.new"
    file = files.open(aside, create=True)
    try:
        file.truncate(0)
        file.append(note.encode())
    finally:
        file.close()
    files.rename(aside, path)

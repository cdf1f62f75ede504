"""`ledger/`: the site log as static files that any web server may serve as they are.

Tiles are synced, for a stored checkpoint relies on them. The published checkpoint is not: the
stored one is published again whenever the factory starts.
"""

import re
from collections.abc import Sequence

from inland.ledger.tiles import HASH_BYTES
from inland.plant.books.durable import Folders, parent, read_file, write_file
from inland.ports.files import Files

FOLDER = "ledger"
CHECKPOINT = f"{FOLDER}/checkpoint"
#: An entry in a bundle: two bytes of length before it.
_BUNDLES, _ENTRY_BYTES = "tile/entries/", 2 + HASH_BYTES
_SUFFIX = re.compile(rb"[0-9a-f]{8}\Z")


class TileFiles:
    """The tiles of the log that grows, and its published checkpoint."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._folders = Folders(files)

    def prepare(self) -> None:
        """Make the folders that everything here lies in."""
        for folder in (FOLDER, "keys", "journal", "records"):
            self._folders.ensure(folder)

    def read(self, path: str) -> bytes:
        """One tile or bundle by its public path. Raises FileNotFoundError.

        A partial one that is gone since the full one is there is read from that.
        """
        try:
            return read_file(self._files, f"{FOLDER}/{path}")
        except FileNotFoundError:
            full, partial, width = path.partition(".p/")
            if not partial:
                raise
            each = _ENTRY_BYTES if full.startswith(_BUNDLES) else HASH_BYTES
            return read_file(self._files, f"{FOLDER}/{full}")[: int(width) * each]

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
        aside = f"{CHECKPOINT}.new"
        file = self._files.open(aside, create=True)
        try:
            file.truncate(0)
            file.append(note.encode())
        finally:
            file.close()
        self._files.rename(aside, CHECKPOINT)

    def set_aside(self, fallback: str) -> None:
        """Move what is published of an earlier log to `ledger/SUFFIX/`, where it stays public.

        SUFFIX ends that log's origin; it is `fallback` when the published checkpoint does not say.
        """
        there = [name for name in ("tile", "checkpoint") if self._files.exists(f"{FOLDER}/{name}")]
        folder = f"{FOLDER}/{self._published_suffix() or fallback}"
        if any(self._files.exists(f"{folder}/{name}") for name in there):
            folder = f"{FOLDER}/{fallback}"
        if there and not self._files.exists(folder):
            self._files.make_dir(folder)
        for name in there:
            self._files.rename(f"{FOLDER}/{name}", f"{folder}/{name}")

    def _published_suffix(self) -> str:
        try:
            origin = read_file(self._files, CHECKPOINT).partition(b"\n")[0]
        except FileNotFoundError:
            return ""
        suffix = origin.rpartition(b"/")[2]
        return suffix.decode() if _SUFFIX.match(suffix) else ""

"""`ledger/` as outsiders see it: every log under what ends its origin, the newest without it too.

So a log keeps its address when it ends. What is asked for while it gives way to the next one is
found where it went.
"""

from inland.plant.books.durable import read_file
from inland.plant.books.tile_files import CHECKPOINT, TileFiles, published_suffix
from inland.ports.files import Files


class PublicLedger:
    """Reads published files; any number of threads may. `log`: a suffix, None for the newest."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def checkpoint(self, log: str | None = None) -> bytes | None:
        """The checkpoint published last; None if there is no such log."""
        if log is None:
            return self._newest()
        tiles = TileFiles(self._files, log)
        last = tiles.checkpoint()
        if last is None and published_suffix(self._files) == log:
            newest = self._newest()
            last = tiles.checkpoint()  # it may have ended between two looks
            return newest if last is None else last.encode()
        return None if last is None else last.encode()

    def tile(self, path: str, log: str | None = None) -> bytes | None:
        """A tile or bundle by its path, `tile/…`; None if there is none. No other path is safe."""
        newest = published_suffix(self._files)
        tiles = TileFiles(self._files, log or newest or "")
        if not newest or (log not in {None, newest} and not tiles.has_ended()):
            return None
        try:
            return tiles.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _newest(self) -> bytes | None:
        try:
            return read_file(self._files, CHECKPOINT)
        except FileNotFoundError:
            return None

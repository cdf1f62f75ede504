"""`ports.blobs` in a folder of the home: one file a blob."""

import re
from collections.abc import Iterator

from inland.adapters.files.whole import WholeFiles
from inland.ports.files import Files

NAME = re.compile(r"[A-Za-z0-9_-]{1,128}(?:/[A-Za-z0-9_-]{1,128}){0,7}\Z")
#: Where a factory's blobs lie.
ROOT = "vault"


class FolderBlobs:
    """Blobs below `root` of `files`. One process writes them."""

    def __init__(self, files: Files, root: str = ROOT) -> None:
        self._files = WholeFiles(files, root)
        self._root = root

    def demand(self) -> None:
        """It is here."""

    def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._files.write(self._at(name), data)

    def get(self, name: str) -> memoryview | None:
        return self._files.read_pages(self._at(name))

    def may_err(self, name: str) -> bool:
        return False

    def remove(self, name: str) -> None:
        self._files.remove(self._at(name))

    def names(self, under: str = "") -> Iterator[str]:
        start = under.rpartition("/")[0]
        for name in self._below(start):
            if name.startswith(under):
                yield name

    def _at(self, name: str) -> str:
        assert NAME.match(name), name
        return f"{self._root}/{name}"

    def _below(self, folder: str) -> Iterator[str]:
        """Every blob below, as the names' bytes are ordered: a folder stands where `name/` does."""
        found: list[tuple[str, bool]] = []
        for one in self._files.list(f"{self._root}/{folder}" if folder else self._root):
            name = f"{folder}/{one}" if folder else one
            is_folder = self._is_folder(f"{self._root}/{name}")
            found.append((f"{name}/" if is_folder else name, is_folder))
        for name, is_folder in sorted(found):
            if is_folder:
                yield from self._below(name.rstrip("/"))
            else:
                yield name

    def _is_folder(self, path: str) -> bool:
        try:
            self._files.list(path)
        except NotADirectoryError:
            return False
        return True

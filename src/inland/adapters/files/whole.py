"""Files that are there whole or not at all, over `ports.files`: written aside, synced, renamed.

For folders of many small or large files under one root; leftovers of a crash lie in its aside
folder alone, and go when the root is opened again.
"""

import secrets
from contextlib import suppress

from inland.adapters.memory.pages import pages
from inland.ports.files import Files

_ASIDE = ".aside"


class WholeFiles:
    """The files below `root`, one process's. Thread-safe as far as two do not write one name."""

    def __init__(self, files: Files, root: str) -> None:
        self._files = files
        self._root = root
        self._synced: set[str] = set()
        self._aside = f"{root}/{_ASIDE}"
        self.need_folder(self._aside)
        for left in files.list(self._aside):
            self._scrub(f"{self._aside}/{left}")

    def need_folder(self, path: str) -> None:
        """Make a folder and those above it, durably; one that is there may not be synced yet."""
        if not path or path in self._synced:
            return
        parent = path.rpartition("/")[0]
        self.need_folder(parent)
        with suppress(FileExistsError):
            self._files.make_dir(path)
        self._files.sync_dir(parent)
        self._synced.add(path)

    def write(self, path: str, data: bytes | bytearray | memoryview) -> None:
        """Durable when it returns, in place of what was there. Raises DiskFull, OSError."""
        folder = path.rpartition("/")[0]
        self.need_folder(folder)
        aside = f"{self._aside}/{secrets.token_hex(8)}"
        try:
            file = self._files.open(aside, create=True)
            try:
                file.commit(data)
            finally:
                file.close()
            self._rename(aside, path)
        except BaseException:
            with suppress(OSError):
                self._files.remove(aside)
            raise
        self._files.sync_dir(folder)

    def replace(self, path: str, data: bytes) -> None:
        """As `write` over what is there, which is then overwritten as far as the disk does that."""
        before = self._files.open(path)
        try:
            self.write(path, data)
            before.overwrite()
            before.sync()
        finally:
            before.close()

    def read(self, path: str) -> bytes | None:
        """All of it; None where there is none."""
        try:
            file = self._files.open(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        try:
            return file.read(0, file.size())
        finally:
            file.close()

    def read_pages(self, path: str) -> memoryview | None:
        """As `read`, into pages of its own."""
        try:
            file = self._files.open(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        try:
            found = pages(file.size())
            return found[: file.read_into(0, found)]
        finally:
            file.close()

    def destroy(self, path: str) -> None:
        """Gone from its name, then overwritten as far as the disk does that, then gone."""
        aside = f"{self._aside}/{secrets.token_hex(8)}"
        try:
            self._files.rename(path, aside)
        except FileNotFoundError:
            return
        self._files.sync_dir(path.rpartition("/")[0])
        self._scrub(aside)

    def remove(self, path: str) -> None:
        """Durably gone, and its folder where it was the last there."""
        folder = path.rpartition("/")[0]
        with suppress(FileNotFoundError):
            self._files.remove(path)
        if not self._files.exists(folder):
            return
        self._files.sync_dir(folder)
        if folder.count("/") > self._root.count("/") + 1 and not self._files.list(folder):
            self._synced.discard(folder)
            with suppress(OSError):  # somebody put another there meanwhile
                self._files.remove_dir(folder)

    def list(self, folder: str) -> list[str]:
        """Sorted names in a folder, without what is ours."""
        return [name for name in self._files.list(folder) if name != _ASIDE]

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return self._files.exists(path)

    def _rename(self, aside: str, path: str) -> None:
        """The folder may have been removed, being empty, since it was needed."""
        try:
            self._files.rename(aside, path)
        except FileNotFoundError:
            folder = path.rpartition("/")[0]
            self._synced.discard(folder)
            self.need_folder(folder)
            self._files.rename(aside, path)

    def _scrub(self, path: str) -> None:
        with suppress(FileNotFoundError):
            file = self._files.open(path)
            try:
                file.overwrite()
                file.sync()
            finally:
                file.close()
            self._files.remove(path)
            self._files.sync_dir(self._aside)

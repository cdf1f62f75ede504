"""Small durable moves on files: what each leaves behind after a crash is said where it is used."""

from inland.ports.files import Files


def read_file(files: Files, path: str) -> bytes:
    """The whole of a small file. Raises FileNotFoundError."""
    file = files.open(path)
    try:
        return file.read(0, file.size())
    finally:
        file.close()


def write_file(files: Files, path: str, data: bytes) -> None:
    """Make `path` hold exactly `data`, its bytes durable, its name not yet."""
    file = files.open(path, create=True)
    try:
        file.truncate(0)
        file.append(data)
        file.sync()
    finally:
        file.close()


def swap_file(files: Files, path: str, data: bytes) -> None:
    """Make `path` hold exactly `data`, durably; readers and crashes meet the old or the new."""
    write_file(files, f"{path}.new", data)
    files.rename(f"{path}.new", path)
    files.sync_dir(parent(path))


def parent(path: str) -> str:
    """The folder a path is in; the empty path is the home."""
    return path.rpartition("/")[0]


class Folders:
    """Folders made as they are needed, each durable in its parent once in this process's life.

    Also one that is already there: whoever made it may have died before it was durable.
    """

    def __init__(self, files: Files, *durable: str) -> None:
        """`durable` are folders that somebody else vouches for."""
        self._files = files
        self._durable = {"", *durable}

    def ensure(self, path: str) -> None:
        """Make `path` and its parents, durably."""
        if path in self._durable:
            return
        self.ensure(parent(path))
        if not self._files.exists(path):
            self._files.make_dir(path)
        self._files.sync_dir(parent(path))
        self._durable.add(path)

"""A disk in memory that forgets at a crash whatever was not synced: `ports.files` for the twin.

Harsher than a real one. Bytes are kept by file, names by folder, and one may last without the
other; only a rename is whole. Processes share the disk, each has its own locks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from inland.ports.files import Lock, OpenFile

#: Asked before each operation with its name and path. It may raise; a sync it says no to is lost.
Watch = Callable[[str, str], bool]


@dataclass(eq=False, slots=True)
class _File:
    data: bytes = b""
    durable: bytes = b""
    #: What `data` was after each change since the last sync.
    states: list[bytes] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Folder:
    names: dict[str, "_File | _Folder"] = field(default_factory=dict)
    durable: dict[str, "_File | _Folder"] = field(default_factory=dict)


#: One change of names that happens whole: in this folder, this name, is now this (None: nothing).
_Change = list[tuple[_Folder, str, "_File | _Folder | None"]]


def _apply(change: _Change) -> None:
    for folder, name, node in change:
        if node is None:
            folder.durable.pop(name, None)
        else:
            folder.durable[name] = node


class ForgetfulDisk:
    """The disk itself; `process` gives each process its view."""

    def __init__(self, watch: Watch | None = None) -> None:
        self._root = _Folder()
        self._changes: list[_Change] = []
        self._locks: dict[_File, str] = {}
        self._watch = watch or (lambda _operation, _path: True)

    def process(self, name: str) -> "ForgetfulFiles":
        """The files as the process `name` has them."""
        return ForgetfulFiles(self, name)

    def kill(self, process: str) -> None:
        """End a process: its locks are free, everything it wrote is still there."""
        self._locks = {file: owner for file, owner in self._locks.items() if owner != process}

    def crash(self, random: Random | None = None) -> None:
        """End every process and lose what was not synced: all, or with `random` any part."""
        self._locks.clear()
        kept = random.randint(0, len(self._changes)) if random else 0
        for change in self._changes[:kept]:
            _apply(change)
        self._changes.clear()
        self._forget(self._root, random)

    def _forget(self, folder: _Folder, random: Random | None) -> None:
        folder.names = dict(folder.durable)
        for node in folder.names.values():
            if isinstance(node, _Folder):
                self._forget(node, random)
            elif node.states:
                if random:
                    node.durable = _part(node, random)
                node.data = node.durable
                node.states.clear()

    def ask(self, operation: str, path: str) -> bool:
        """Tell the watcher what is about to happen."""
        return self._watch(operation, path)

    def node(self, path: str) -> "_File | _Folder":
        """What is at `path`. Raises FileNotFoundError."""
        node: _File | _Folder = self._root
        for name in path.split("/") if path else ():
            if not isinstance(node, _Folder) or name not in node.names:
                raise FileNotFoundError(path)
            node = node.names[name]
        return node

    def folder(self, path: str) -> _Folder:
        """The folder at `path`. Raises FileNotFoundError and NotADirectoryError."""
        node = self.node(path)
        if not isinstance(node, _Folder):
            raise NotADirectoryError(path)
        return node

    def change(self, *steps: tuple[str, "_File | _Folder | None"]) -> None:
        """Give names as one change: (path, what it is now)."""
        change: _Change = []
        for path, node in steps:
            parent, _, name = path.rpartition("/")
            folder = self.folder(parent)
            change.append((folder, name, node))
            if node is None:
                folder.names.pop(name)
            else:
                folder.names[name] = node
        self._changes.append(change)

    def sync_names(self, folder: _Folder) -> None:
        """Make a folder's names last, and with them whatever a rename ties to them."""
        tied = {id(folder)}
        chosen: list[_Change] = []
        rest: list[_Change] = []
        for change in reversed(self._changes):
            touched = {id(where) for where, _, _ in change}
            if touched & tied:
                tied |= touched
                chosen.append(change)
            else:
                rest.append(change)
        for change in reversed(chosen):
            _apply(change)
        self._changes = rest[::-1]

    def take_lock(self, file: _File, process: str) -> bool:
        """Whether the lock was free: it goes with the file, whatever its name."""
        if file in self._locks:
            return False
        self._locks[file] = process
        return True

    def drop_lock(self, file: _File, process: str) -> None:
        """Free a lock that `process` holds."""
        if self._locks.get(file) == process:
            del self._locks[file]


def _part(file: _File, random: Random) -> bytes:
    """Some state the file may be found in: one it went through, or a torn step to one."""
    states = [file.durable, *file.states]
    at = random.randrange(len(states))
    before, after = states[max(at - 1, 0)], states[at]
    if not after.startswith(before) or random.random() < 0.5:
        return after
    cut = random.randint(len(before), len(after))
    return after[:cut] + bytes(random.randint(0, len(after) - cut))


class ForgetfulFiles:
    """One process's view of a `ForgetfulDisk`."""

    def __init__(self, disk: ForgetfulDisk, process: str) -> None:
        self._disk = disk
        self._process = process

    def open(self, path: str, *, create: bool = False) -> OpenFile:
        return self._opened(path, create=create)

    def _opened(self, path: str, *, create: bool) -> "_Opened":
        try:
            node = self._disk.node(path)
        except FileNotFoundError:
            if not create:
                raise
            self._disk.ask("create", path)
            node = _File()
            self._disk.change((path, node))
        if isinstance(node, _Folder):
            raise IsADirectoryError(path)
        return _Opened(self._disk, node, path)

    def exists(self, path: str) -> bool:
        try:
            self._disk.node(path)
        except FileNotFoundError:
            return False
        return True

    def list(self, path: str) -> list[str]:
        try:
            return sorted(self._disk.folder(path).names)
        except FileNotFoundError:
            return []

    def make_dir(self, path: str) -> None:
        self._disk.ask("make_dir", path)
        if self.exists(path):
            raise FileExistsError(path)
        self._disk.change((path, _Folder()))

    def rename(self, old: str, new: str) -> None:
        self._disk.ask("rename", old)
        self._disk.change((new, self._disk.node(old)), (old, None))

    def remove(self, path: str) -> None:
        self._disk.ask("remove", path)
        if isinstance(self._disk.node(path), _Folder):
            raise IsADirectoryError(path)
        self._disk.change((path, None))

    def remove_dir(self, path: str) -> None:
        self._disk.ask("remove_dir", path)
        if self._disk.folder(path).names:
            raise OSError(39, "Directory not empty", path)
        self._disk.change((path, None))

    def sync_dir(self, path: str) -> None:
        folder = self._disk.folder(path)
        if self._disk.ask("sync_dir", path):
            self._disk.sync_names(folder)

    def lock(self, path: str) -> Lock | None:
        file = self._opened(path, create=True).file
        held = self._disk.take_lock(file, self._process)
        return _Held(self._disk, file, self._process) if held else None

    def free_bytes(self) -> int:
        return 1 << 40


class _Held:
    def __init__(self, disk: ForgetfulDisk, file: _File, process: str) -> None:
        self._disk = disk
        self._file = file
        self._process = process

    def release(self) -> None:
        self._disk.drop_lock(self._file, self._process)


class _Opened:
    def __init__(self, disk: ForgetfulDisk, file: _File, path: str) -> None:
        self._disk = disk
        self.file = file
        self._path = path

    def append(self, data: bytes | bytearray | memoryview) -> None:
        self._disk.ask("append", self._path)
        self._set(self.file.data + data)

    def commit(self, data: bytes | bytearray | memoryview) -> None:
        self.append(data)
        self.sync()

    def read(self, offset: int, length: int) -> bytes:
        return self.file.data[offset : offset + length]

    def read_into(self, offset: int, room: memoryview) -> int:
        found = self.read(offset, len(room))
        room[: len(found)] = found
        return len(found)

    def size(self) -> int:
        return len(self.file.data)

    def truncate(self, size: int) -> None:
        self._disk.ask("truncate", self._path)
        self._set(self.file.data[:size].ljust(size, b"\0"))

    def overwrite(self) -> None:
        self._disk.ask("overwrite", self._path)
        self._set(bytes(len(self.file.data)))

    def _set(self, data: bytes) -> None:
        self.file.data = data
        self.file.states.append(data)

    def sync(self) -> None:
        if self._disk.ask("sync", self._path):
            self.file.durable = self.file.data
            self.file.states.clear()

    def close(self) -> None:
        """Nothing to let go of."""

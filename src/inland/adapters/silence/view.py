"""The files a command sees: what it may read and write, nothing that another process serves.

Everything else is not there: no `/run`, no `/tmp` of others, no home, no sockets, no pipes with
names, no devices but those that lead nowhere, processes of its own alone.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.silence import kernel
from inland.adapters.silence.canary import NAMES
from inland.adapters.silence.served import mounts
from inland.domain.errors import InlandError

#: Programs, libraries and what describes the machine; links among them are made again.
SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt")))
#: The facts of the machine that programs size themselves by.
_FACTS = Path("/sys/devices/system")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1"}
#: What of `/proc` changes the machine rather than tells of it.
_HELD = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi")
#: Empty, writable, seen by this command alone, gone with it.
PRIVATE = tuple(map(Path, ("/tmp", "/run", "/var/tmp", "/dev/shm")))  # noqa: S108 - its own
_TEXTS = {
    Path("/etc/resolv.conf"): f"nameserver {NAMES}\noptions timeout:1 attempts:1\n",
    Path("/etc/nsswitch.conf"): "passwd: files\ngroup: files\nhosts: files dns\n",
}
#: More special files than this in what may be read is no folder of programs or data.
MOST_MASKED = 4096
_STAGE = Path("/tmp")  # noqa: S108 - covered by a mount of our own before anything is made in it
_EMPTY = Path(".empty")


@dataclass
class NotListed(InlandError):
    """A folder that can be passed through and not listed: what is in it is not known."""

    folder: Path

    def __str__(self) -> str:
        return f"what {self.folder} holds cannot be listed, and may be reached by name"


@dataclass(frozen=True, slots=True)
class View:
    """Absolute paths, in folders that are no links. `readable`: files and folders, and links, which
    are made again and lead to what is readable itself; `writable`: folders; `hidden`: folders that
    are empty; `masked`: files that are empty, in place of what is no plain file.
    `private_bytes`: what may be written to each folder of its own, None half of the memory."""

    readable: tuple[Path, ...]
    writable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    masked: tuple[Path, ...] = ()
    private_bytes: int | None = None

    @property
    def private(self) -> str:
        """How a folder of its own is mounted."""
        return "mode=1777" + ("" if self.private_bytes is None else f",size={self.private_bytes}")


def special(
    paths: Iterable[Path],
    begun: Callable[[Path], object] = str,
    without: Collection[Path] = (),
) -> Iterator[Path]:
    """Sockets, named pipes and devices in `paths`, mounted ones too. Raises NotListed.

    `begun` is called with each folder before it is looked through; those in `without` are not.
    """
    paths = tuple(paths)
    yield from listed(paths, begun, without)
    yield from mounted(paths, without)


def mounted(paths: Collection[Path], without: Collection[Path] = ()) -> Iterator[Path]:
    """Sockets, named pipes and devices that are mounted at or below `paths`, but for `without`: a
    folder's list tells what lies beneath them."""
    for point in dict.fromkeys(one.point for one in mounts()):
        if not _holds(paths, point) or _holds(without, point):
            continue
        with suppress(OSError):  # what cannot be looked at here is not reached there
            mode = point.lstat().st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                yield point


def listed(
    paths: Iterable[Path],
    begun: Callable[[Path], object] = str,
    without: Collection[Path] = (),
) -> Iterator[Path]:
    """As `special`, of what the lists of the folders tell alone."""
    waiting = [path for path in paths if path.is_dir() and not path.is_symlink()]
    while waiting:
        folder = waiting.pop()
        if folder in without:
            continue
        begun(folder)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                        yield Path(entry.path)
        except FileNotFoundError:
            continue
        except PermissionError:
            if os.access(folder, os.X_OK):  # where it may not be passed through, nothing is reached
                raise NotListed(folder) from None


def followed(paths: Iterable[Path]) -> Iterator[Path]:
    """Each by its name, in a folder that is no link; of a link also what it leads to."""
    for path in paths:
        yield path.parent.resolve() / path.name
        yield path.resolve()


def beside(paths: Iterable[Path]) -> Iterator[Path]:
    """Those of `paths` that the system's own folders do not hold."""
    return (path for path in paths if not _holds(SYSTEM, path))


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Those of `paths` that lie in no other."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not _holds(kept, path):
            kept.append(path)
    return tuple(kept)


def _holds(these: Collection[Path], path: Path) -> bool:
    return any(path.is_relative_to(one) for one in these)


def enter(view: View) -> None:
    """From here on this process sees `view` alone. In namespaces of its own. Raises OSError."""
    kernel.leave_mounts()
    system, given = [path for path in SYSTEM if path.exists()], tuple(beside(view.readable))
    links = {path: path.readlink() for path in system if path.is_symlink()}
    links |= {path: path.resolve() for path in given if path.is_symlink()}
    trees = {path: kernel.tree(path) for path in (*system, *given) if path not in links}
    if _FACTS.exists():
        trees[_FACTS] = kernel.tree(_FACTS)
    trees |= {path: kernel.tree(path, writable=True) for path in view.writable}
    devices = {name: kernel.tree(Path("/dev") / name, device=True) for name in _DEVICES}
    kernel.mount("tmpfs", _STAGE, "mode=0755")
    root = _STAGE
    (root / _EMPTY).write_bytes(b"")
    for path in PRIVATE:
        if path.parent.name != "dev":
            _private(root, path, view.private)
    for path, to in links.items():
        inside = _at(root, path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(to)
    for path, one in sorted(trees.items()):
        _put(root, path, one)
    _make_devices(root, devices, view.private)
    for path in view.hidden:
        if (inside := _at(root, path)).is_dir():
            kernel.mount("tmpfs", inside, "mode=0700,size=4k")
    for path in view.masked:
        kernel.put(kernel.tree(root / _EMPTY), _at(root, path))
    _write_texts(root)
    _make_proc(root)
    kernel.hold(root)
    kernel.enter(root)


def _at(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _private(root: Path, path: Path, how: str) -> None:
    inside = _at(root, path)
    inside.mkdir(parents=True, exist_ok=True)
    kernel.mount("tmpfs", inside, how)


def _put(root: Path, path: Path, one: int) -> None:
    inside = _at(root, path)
    if not inside.exists():
        inside.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(os.fstat(one).st_mode):
            inside.mkdir()
        else:
            inside.touch()
    kernel.put(one, inside)


def _make_devices(root: Path, devices: dict[str, int], private: str) -> None:
    for name, one in devices.items():
        _put(root, Path("/dev") / name, one)
    for name, to in _LINKS.items():
        (root / "dev" / name).symlink_to(to)
    _private(root, Path("/dev/shm"), private)  # noqa: S108 - its own


def _write_texts(root: Path) -> None:
    """Where the machine's own name service is asked, nobody's is: questions are seen."""
    for number, (path, text) in enumerate(_TEXTS.items()):
        made = root / f".text-{number}"
        made.write_text(text)
        target = _at(root, path)
        if target.is_symlink():
            to = _at(root, Path(os.path.normpath(path.parent / target.readlink())))
            to.parent.mkdir(parents=True, exist_ok=True)
            to.touch()
            target = to
        if target.exists():
            kernel.put(kernel.tree(made), target)


def _make_proc(root: Path) -> None:
    proc = root / "proc"
    proc.mkdir()
    kernel.mount("proc", proc)
    for name in _HELD:
        if (proc / name).exists():
            kernel.put(kernel.tree(proc / name), proc / name)

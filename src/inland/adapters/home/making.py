"""First start: a home is filled as a sibling folder, synced, and renamed into place.

There is never half a home: a failure removes the sibling, and one that a kill left is removed by
the next first start there.
"""

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inland.adapters.home.first_keys import to_json
from inland.adapters.home.layout import Home
from inland.domain.errors import Conflict
from inland.domain.plant import Key

_FOLDERS = (
    *("policies", "journal", "records", "ledger", "vault", "models"),
    *("keys", "keys/tenants", "keys/upstreams", "run", "logs"),
)
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class Contents:
    """What a new home holds. `policies`: file name → text. `place_model` puts the model's file,
    synced, at the path it is given; `model_file` is that path below the home."""

    factory_toml: str
    policies: Mapping[str, str]
    operator_key: str = field(repr=False)
    first_keys: tuple[Key, ...]
    model_file: str
    place_model: Callable[[Path], None]


def check_free(home: Home) -> None:
    """Raise Conflict unless the home can be made: absent, or an empty folder."""
    root = home.root
    if root.is_dir():
        if any(root.iterdir()):
            raise Conflict(str(root), "is neither a factory's home nor empty")
    elif root.exists() or root.is_symlink():
        raise Conflict(str(root), "is not a folder")


def make_home(home: Home, contents: Contents) -> None:
    """Make the home, whole and durable, or raise and leave nothing.

    Raises Conflict when something stands there, OSError when the disk refuses.
    """
    with home_aside(home) as sibling:
        _fill(sibling, contents)


@contextmanager
def home_aside(home: Home) -> Iterator[Path]:
    """A folder to fill, which is the home once the block ends: whole and durable, or not there.

    Its files are synced by who writes them, its folders here. Raises as `make_home`.
    """
    check_free(home)
    parent = home.root.parent
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    with _sibling(home) as sibling:
        for folder in _FOLDERS:
            (sibling / folder).mkdir(mode=0o700)
        yield sibling
        for at, _, _ in os.walk(sibling):
            _sync_folder(Path(at))
        try:
            sibling.rename(home.root)
        except OSError as error:
            if error.errno in _TAKEN:
                raise Conflict(str(home.root), "was made by someone else meanwhile") from None
            raise
        _sync_folder(parent)


def _prefix(home: Home) -> str:
    return f"{home.root.name}.making-"


@contextmanager
def _sibling(home: Home) -> Iterator[Path]:
    """A locked folder beside the home; removed when the block raises."""
    path = Path(tempfile.mkdtemp(prefix=_prefix(home), dir=home.root.parent))
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _sweep(home: Home) -> None:
    """Remove siblings whose maker is dead: nobody holds their lock."""
    for path in home.root.parent.glob(f"{glob.escape(_prefix(home))}*"):
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def _fill(root: Path, contents: Contents) -> None:
    for name, text in contents.policies.items():
        _write(root / "policies" / name, text)
    _write(root / "keys" / "operator", contents.operator_key + "\n")
    _write(root / "keys" / "first.json", to_json(contents.first_keys))
    contents.place_model(root / contents.model_file)
    _write(root / "factory.toml", contents.factory_toml)


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

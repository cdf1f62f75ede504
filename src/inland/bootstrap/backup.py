"""A backup: a home at one moment as one file, while its factory runs and serves, or stands still.

It holds nothing up, leaves the log's signing key behind, and is there whole or not at all.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import inland
from inland.adapters.archive import names
from inland.adapters.archive.container import CHUNK_BYTES, Part, Writer, whole
from inland.adapters.archive.sealed import sealing
from inland.adapters.files.clock import SystemClock
from inland.adapters.files.disk import Disk
from inland.adapters.home import factory_toml
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.sql.database import Database, sqlite_url
from inland.adapters.vault.folder_blobs import ROOT as VAULT
from inland.adapters.weights.digest import sync_folder
from inland.adapters.weights.leftovers import hold, sweep
from inland.bootstrap.books import database
from inland.domain.errors import BadInput, Conflict
from inland.ledger.records import Record
from inland.plant.books.pinned import PinnedFile, pinned
from inland.ports.store import Store

#: Shows how far something of that name is: told the bytes done and the bytes there are.
Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
#: Settings, policies and keys are read whole; none is larger than this.
SMALL_LIMIT_BYTES = 4 << 20
_PAGE_BYTES = 4096
#: What a home has at its top that is in a backup, or made by the next start.
_KEPT_OR_MADE = frozenset(
    {*names.FOLDERS, names.FACTORY_TOML, names.CERTIFICATE, VAULT, "run", "logs"}
)
#: How folders are named that a backup is made in.
_ASIDE = ".inland-backup-"
#: Files on their way to their name, of whoever writes them.
_UNFINISHED = (".new", ".tmp")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that a factory needs and the backup does not hold. `sha256`: of weights, in hex."""

    path: str
    why: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there: `bytes` on the disk, `sha256` of what it holds, unsealed."""

    file: Path
    bytes: int
    sha256: str
    records: int
    taken_unix_us: int
    left_out: tuple[LeftOut, ...]


def back_up(
    home: Home, target: Path, *, passphrase: str | None, with_models: bool, bar: Bar
) -> Made:
    """Write the home's backup to `target`. Raises Conflict, Busy, Damaged, BadInput, OSError."""
    if not target.parent.is_dir():
        raise BadInput("file", f"{target.parent} is not a folder")
    if os.path.lexists(target):
        raise Conflict(str(target), "is there already; name another file, or remove it")
    with _folder_aside(target) as aside:
        copy, taken = aside / names.DATABASE, SystemClock().unix_us()
        with pinned(Disk(home.root), lambda: _copied_database(home, copy, bar)) as (store, found):
            settings, left_out = _settings(home, with_models=with_models)
            parts = [*_parts(found), *settings, _file(names.DATABASE, copy)]
            records, facts = _facts(store, taken, left_out)
            digest = _write(aside / "backup", passphrase, facts, parts, bar)
        (aside / "backup").rename(target)
        sync_folder(target.parent)
    size = target.stat().st_size
    return Made(target, size, digest, records, taken, tuple(left_out))


@contextmanager
def _folder_aside(target: Path) -> Iterator[Path]:
    """A private folder beside `target`, gone afterwards; those that kills left go first."""
    sweep(target.parent, _ASIDE)
    folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=target.parent))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        hold(fd)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(fd)


@contextmanager
def _copied_database(home: Home, copy: Path, bar: Bar) -> Iterator[Database]:
    copy.unlink(missing_ok=True)
    source = database(home.root, read_only=True)
    try:
        with bar("database") as progress:
            source.copy_to(
                copy, lambda done, there: progress(done * _PAGE_BYTES, there * _PAGE_BYTES)
            )
    finally:
        source.close()
    made = Database(sqlite_url(copy), read_only=True)
    try:
        yield made
    finally:
        made.close()


def _facts(store: Store, taken: int, left_out: list[LeftOut]) -> tuple[int, Record]:
    """How many records are booked, and what the backup says of itself."""
    with store.read() as transaction:
        books = transaction.books
        log, records = books.current_log(), books.id_count()
    return records, {
        "inland": inland.__version__,
        "taken": taken,
        "records": records,
        "origin": log.origin if log else None,
        "left_out": [{"path": each.path, "sha256": each.sha256} for each in left_out],
    }


def _write(file: Path, passphrase: str | None, facts: Record, parts: list[Part], bar: Bar) -> str:
    parts.sort(key=lambda part: names.place(part.path) or (0, part.path))
    total = sum(part.size for part in parts)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as out, bar("backup") as progress:
        with sealing(out, passphrase) as plain:
            writer, seen = Writer(plain, facts), _Seen(lambda done: progress(done, total))
            for part in parts:
                writer.add(seen.through(part))
            digest = writer.finish()
        out.flush()
        os.fsync(fd)
    return digest


class _Seen:
    """Tells how many bytes went by."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._done = 0

    def through(self, part: Part) -> Part:
        def chunks() -> Iterator[bytes]:
            for chunk in part.chunks():
                yield chunk
                self._done += len(chunk)
                self._tell(self._done)

        return replace(part, chunks=chunks)


def _parts(found: list[PinnedFile]) -> Iterator[Part]:
    return (Part(each.path, each.size, each.chunks) for each in found)


def _settings(home: Home, *, with_models: bool) -> tuple[list[Part], list[LeftOut]]:
    """Everything beside the books: what was declared, policies, keys, weights if wanted."""
    parts, left_out = [], []
    for path in sorted(_small_files(home.root)):
        name = path.relative_to(home.root).as_posix()
        if name == names.LAST_HEAD:
            continue  # of the books, and of their moment
        if names.place(name) is not None:
            with suppress(FileNotFoundError):  # renamed or removed since it was listed
                parts.append(whole(name, _read_small(path)))
        elif not names.is_signing_key(name) and not names.is_of_vault(name):
            left_out.append(LeftOut(name, "a name that no backup takes"))
    left_out += [LeftOut(name, "is no part of a factory") for name in _strange(home.root)]
    left_out += _of_vault(home)
    declared = factory_toml.read(home.factory_toml)
    for name, path, sha256 in _weights(home, declared):
        if with_models and names.place(name) is not None and path.is_file():
            parts.append(_file(name, path))
        else:
            left_out.append(LeftOut(name, "weights", sha256))
    left_out += [
        LeftOut(str(path), "lies outside the factory's keys")
        for path in named_files(declared)
        if not path.is_relative_to(home.root / "keys")
    ]
    return parts, left_out


def _of_vault(home: Home) -> Iterator[LeftOut]:
    """Content comes from its own store; keys, wrapped or not, from nowhere but where they are."""
    if any((home.root / VAULT).glob("[!.]*")):
        yield LeftOut(VAULT, "content of assets: copy the folder, it is sealed")
    if any((home.root / names.ASSET_KEYS / "keys").glob("*/*")):
        yield LeftOut(names.ASSET_KEYS, "keys of assets: what is erased stays so in every backup")


def named_files(declared: Declaration) -> list[Path]:
    """Files of keys that factory.toml names, wherever they are."""
    serving = (declared.listening.tls_cert, declared.listening.tls_key)
    tls = [Path(name) for name in serving if name is not None]
    return [*declared.upstream_key_files.values(), *tls]


def _small_files(root: Path) -> Iterator[Path]:
    yield root / names.FACTORY_TOML
    if (root / names.CERTIFICATE).is_file():
        yield root / names.CERTIFICATE
    for folder in ("policies", "keys"):
        for at, _, files in os.walk(root / folder):
            yield from (
                Path(at) / name
                for name in files
                if not name.startswith(".") and not name.endswith(_UNFINISHED)
            )


def _strange(root: Path) -> Iterator[str]:
    """What lies in the home and is neither kept nor made again, where there is anything in it."""
    for path in sorted(root.iterdir()):
        known = path.name in _KEPT_OR_MADE or path.name.startswith(names.DATABASE)
        if not known and not (path.is_dir() and not any(path.iterdir())):
            yield path.name


def _read_small(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(SMALL_LIMIT_BYTES + 1)
    if len(data) > SMALL_LIMIT_BYTES:
        raise BadInput(str(path), f"has more than {SMALL_LIMIT_BYTES} bytes; it belongs elsewhere")
    return data


def _weights(home: Home, declared: Declaration) -> Iterator[tuple[str, Path, str]]:
    """Path, file and hash of each declared model's weights, each once."""
    seen = set()
    for model in declared.models:
        if model.file is not None and model.digest is not None and model.file not in seen:
            seen.add(model.file)
            yield model.file, home.root / model.file, model.digest.removeprefix("sha256:")


def _file(name: str, path: Path) -> Part:
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")

    return Part(name, path.stat().st_size, chunks)

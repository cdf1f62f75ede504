"""A backup: a home at one moment as one file, while its factory runs and serves, or stands still.

It holds nothing up, leaves the log's signing key behind, and is there whole or not at all.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
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
from inland.adapters.home.vault_table import BlobsIn
from inland.adapters.sql.database import Database, sqlite_url
from inland.adapters.vault.folder_blobs import ROOT as VAULT
from inland.adapters.weights import bom
from inland.adapters.weights.digest import sync_folder
from inland.adapters.weights.leftovers import hold, sweep
from inland.adapters.weights.shelf import Shelf
from inland.bootstrap.backup_content import Content, content_of
from inland.bootstrap.books import database
from inland.domain.assets import LOCAL_STORE
from inland.domain.errors import BadInput, Busy, Conflict, Damaged
from inland.domain.plant import Model
from inland.ledger.records import Record
from inland.plant.books.pinned import TRIES, PinnedFile, pinned
from inland.ports.store import Store

#: Shows how far something of that name is: told the bytes done and the bytes there are.
Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
#: Settings, policies and keys are read whole; none is larger than this.
SMALL_LIMIT_BYTES = 4 << 20
_PAGE_BYTES = 4096
#: What a home has at its top that is in a backup, or made by the next start.
_KEPT_OR_MADE = frozenset({*names.FOLDERS, names.FACTORY_TOML, names.CERTIFICATE, "run", "logs"})
#: How folders are named that a backup is made in.
_ASIDE = ".inland-backup-"
#: Files on their way to their name, of whoever writes them.
_UNFINISHED = (".new", ".tmp")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that a factory needs and the backup does not hold. `sha256`: of weights, in hex;
    `source`: where a model's were pulled from."""

    path: str
    why: str
    sha256: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a backup will hold, in bytes, before any of it is written."""

    books: int
    models: int
    content: int

    @property
    def total(self) -> int:
        return self.books + self.models + self.content


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a backup is to hold beside the books: weights, and the sealed content of assets."""

    models: bool = False
    content: bool = True


def _untold(_: Sizes) -> None:
    """Nobody asked."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there: `bytes` on the disk, `sha256` of what it holds, unsealed. `missing`:
    assets whose content lacked something, though the books have them, or was moved meanwhile."""

    file: Path
    bytes: int
    sha256: str
    records: int
    taken_unix_us: int
    left_out: tuple[LeftOut, ...]
    missing: tuple[str, ...] = ()


def back_up(
    home: Home,
    target: Path,
    *,
    passphrase: str | None,
    wanted: Wanted,
    bar: Bar,
    tell: Callable[[Sizes], None] = _untold,
) -> Made:
    """Write the home's backup to `target`; `tell` hears how large it will be before any of it is
    written. Where records are destroyed meanwhile it begins again, up to `TRIES` times.
    Raises Conflict, Busy, Damaged, BadInput, OSError."""
    if not target.parent.is_dir():
        raise BadInput("file", f"{target.parent} is not a folder")
    if os.path.lexists(target):
        raise Conflict(str(target), "is there already; name another file, or remove it")
    with _folder_aside(target) as aside:
        for _ in range(TRIES):
            with suppress(_Overtaken):
                made = _written(home, target, aside, passphrase, wanted, bar, tell)
                break
        else:
            raise Busy("records are destroyed faster than they can be copied", 60)
        (aside / "backup").rename(target)
        sync_folder(target.parent)
    return made


def _written(
    home: Home,
    target: Path,
    aside: Path,
    passphrase: str | None,
    wanted: Wanted,
    bar: Bar,
    tell: Callable[[Sizes], None],
) -> Made:
    """It lies in `aside`, in place of any earlier, and is `target`'s. Raises _Overtaken too."""
    (aside / "backup").unlink(missing_ok=True)
    copy, taken = aside / names.DATABASE, SystemClock().unix_us()
    with pinned(Disk(home.root), lambda: _copied_database(home, copy, bar)) as (store, found):
        held = _held(home, store, wanted)
        parts = [*_parts(found), *held.parts, _file(names.DATABASE, copy)]
        sizes = _sizes(parts, held.content)
        _demand_room(target, sizes)
        tell(sizes)
        records, facts = _facts(store, taken, held.left_out)
        demand = partial(_demand_none_destroyed, home, _destructions(store))
        backup = _Backup(aside, passphrase, facts, parts, demand, held.content)
        digest = backup.write(sizes.total, bar)
    missing = _missing(home, held.content)
    size = (aside / "backup").stat().st_size
    return Made(target, size, digest, records, taken, tuple(held.left_out), tuple(missing))


class _Overtaken(Exception):
    """What was read is not of the moment that the books were copied at."""


def _demand_none_destroyed(home: Home, known: set[str]) -> None:
    """Raises _Overtaken where the copied books know nothing of tombstones that may have been read:
    each destruction is on the books before its first one."""
    with closing(database(home.root, read_only=True)) as store:
        if _destructions(store) != known:
            raise _Overtaken


def _destructions(store: Store) -> set[str]:
    with store.read() as transaction:
        return {one.id for one in transaction.books.destructions()}


def _sizes(parts: list[Part], content: Content) -> Sizes:
    models = sum(part.size for part in parts if part.path.startswith("models/"))
    return Sizes(sum(part.size for part in parts) - models, models, content.bytes)


def _demand_room(target: Path, sizes: Sizes) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < sizes.total:
        why = f"has room for {free} bytes, and the backup takes {sizes.total}"
        raise Conflict(str(target.parent), why)


def _missing(home: Home, content: Content) -> list[str]:
    """What nobody erased meanwhile, and is neither in the backup nor where it says."""
    with closing(database(home.root, read_only=True)) as store:
        return content.missing(store)


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
    with closing(database(home.root, read_only=True)) as source, bar("database") as progress:
        source.copy_to(copy, lambda done, there: progress(done * _PAGE_BYTES, there * _PAGE_BYTES))
    with closing(Database(sqlite_url(copy), read_only=True)) as made:
        yield made


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
        "left_out": [
            {"path": each.path, "sha256": each.sha256, "source": each.source} for each in left_out
        ],
    }


@dataclass(frozen=True, slots=True)
class _Backup:
    """What is to be written, as `backup` in the folder `aside`. `demand` is asked once the books
    are read. Content comes last: it is listed as it is read."""

    aside: Path
    passphrase: str | None
    facts: Record
    parts: list[Part]
    demand: Callable[[], None]
    content: Content

    def write(self, total: int, bar: Bar) -> str:
        """The SHA-256 of it, once it is on the disk."""
        self.parts.sort(key=lambda part: names.place(part.path) or (0, part.path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(self.aside / "backup", flags, 0o600)
        with os.fdopen(fd, "wb") as out, bar("backup") as progress:
            with sealing(out, self.passphrase) as plain:
                writer = Writer(plain, self.facts)
                seen = _Seen(lambda done: progress(done, total))
                for part in self.parts:
                    writer.add(seen.through(part))
                self.demand()
                for part in self.content.parts():
                    writer.add(seen.through(part))
                digest = writer.finish()
            progress(total, total)
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


@dataclass(slots=True)
class _Held:
    """Everything beside the books: what was declared, policies, keys, weights and content."""

    parts: list[Part]
    left_out: list[LeftOut]
    content: Content


def _held(home: Home, store: Store, wanted: Wanted) -> _Held:
    declared = factory_toml.read(home.factory_toml)
    parts, left_out = _settings(home, declared)
    models, without = _models(home, store, declared, wanted)
    held = wanted.content and declared.vault.blobs is BlobsIn.FOLDER
    content = content_of(store, home.root, held=held)
    elsewhere = Counter(name for name in content.elsewhere.values() if name != LOCAL_STORE)
    left_out += [*without, *_of_vault(home, declared, wanted)]
    left_out += [
        LeftOut(f"{VAULT}.{name}", f"content of {count} assets lies in the store {name}{where}")
        for name, count in sorted(elsewhere.items())
        for where in [_where(declared, name)]
    ]
    return _Held([*parts, *models], left_out, content)


def _where(declared: Declaration, name: str) -> str:
    """Where a store is, as factory.toml says; nothing of one that it names no more."""
    said = next((store for store in declared.stores if store.place.id == name), None)
    if said is None:
        return ", which factory.toml does not name"
    if said.folder is not None:
        return f" ({said.folder}): it stays there"
    return f" (the bucket {said.s3_bucket} at {said.s3_endpoint}): it stays there"


def _settings(home: Home, declared: Declaration) -> tuple[list[Part], list[LeftOut]]:
    parts, left_out = [], []
    secret = declared.vault.secret_files()
    for path in sorted(set(_small_files(home.root)) - secret):
        name = path.relative_to(home.root).as_posix()
        if name == names.LAST_HEAD:
            continue  # of the books, and of their moment
        if names.place(name) is not None:
            with suppress(FileNotFoundError):  # renamed or removed since it was listed
                parts.append(whole(name, _read_small(path)))
        elif not names.is_signing_key(name) and not names.is_of_vault(name):
            left_out.append(LeftOut(name, "a name that no backup takes"))
    left_out += [LeftOut(name, "is no part of a factory") for name in _strange(home.root)]
    left_out += [
        LeftOut(_below(path, home), "it opens the vault: no backup holds it")
        for path in sorted(secret)
    ]
    left_out += [
        LeftOut(str(path), "lies outside the factory's keys")
        for path in named_files(declared)
        if not path.is_relative_to(home.root / "keys")
    ]
    return parts, left_out


def _below(path: Path, home: Home) -> str:
    """As it is named from the home, where it lies in it."""
    inside = path.is_relative_to(home.root)
    return path.relative_to(home.root).as_posix() if inside else str(path)


def _of_vault(home: Home, declared: Declaration, wanted: Wanted) -> Iterator[LeftOut]:
    """Keys, wrapped or not, come from nowhere but where they are; content in a bucket likewise."""
    if declared.vault.blobs is BlobsIn.S3:
        where = f"in the bucket {declared.vault.s3_bucket} at {declared.vault.s3_endpoint}"
        yield LeftOut(VAULT, f"content of assets lies {where}: it is kept there")
    elif not wanted.content and any((home.root / VAULT).glob("[!.]*")):
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


def _models(
    home: Home, store: Store, declared: Declaration, wanted: Wanted
) -> tuple[list[Part], list[LeftOut]]:
    """Weights and what was signed of them, where they are wanted; else how they are had again."""
    parts, left_out, shelf = [], [], Shelf(home.root)
    for model in _with_weights(store, declared):
        assert model.file is not None
        assert model.digest is not None
        path, sha256 = home.root / model.file, model.digest.removeprefix("sha256:")
        if wanted.models and names.place(model.file) is not None and path.is_file():
            parts.append(_file(model.file, path))
            signed = sorted(shelf.signature(model.id).parent.glob("*"))
            parts += [
                whole(one.relative_to(home.root).as_posix(), _read_small(one))
                for one in signed
                if not one.name.endswith(_UNFINISHED)
            ]
            continue
        source = None if model.declared else _source(shelf, model.id)
        again = f"weights: inland model pull {source} --name {model.id} --sha256 {sha256}"
        why = "weights" if source is None else again
        left_out.append(LeftOut(model.file, why, sha256, source))
    return parts, left_out


def _with_weights(store: Store, declared: Declaration) -> list[Model]:
    """Models whose weights lie here, declared or pulled, each file once."""
    with store.read() as transaction:
        pulled = transaction.state.models().values()
    found: dict[str, Model] = {}
    for model in (*declared.models, *pulled):
        if model.file is not None and model.digest is not None:
            found.setdefault(model.file, model)
    return list(found.values())


def _source(shelf: Shelf, name: str) -> str | None:
    """Where a model was pulled from, as far as what was signed says."""
    try:
        return bom.facts(shelf.verified_bom(name)).get("source")
    except Damaged:
        return None


def _file(name: str, path: Path) -> Part:
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")

    return Part(name, path.stat().st_size, chunks)

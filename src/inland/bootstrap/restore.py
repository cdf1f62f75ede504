"""A restore: a backup becomes a home, where none was; its factory goes on with a log of its own.

The backup is read to its end and believed before anything is written, and the home is there whole
or not at all. It knows the last head that was signed and not the key that signed it: so the first
record of its new log names that head, and nothing is signed twice.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.archive import names
from inland.adapters.archive.reader import Reader
from inland.adapters.archive.sealed import opening
from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.files.secrets import SecretFolder
from inland.adapters.home import factory_toml
from inland.adapters.home.layout import Home
from inland.adapters.home.making import check_free, home_aside
from inland.adapters.sql.database import Database, sqlite_url
from inland.adapters.vault.factory_key import AWAITED
from inland.adapters.weights.digest import sync_folder
from inland.bootstrap.backup import Bar, named_files
from inland.bootstrap.books import FACTORY
from inland.bootstrap.restored_models import sign_anew
from inland.domain.errors import Conflict, Damaged
from inland.domain.plant import Key, Role
from inland.domain.snapshot import Secrets, Snapshot
from inland.ledger import notes
from inland.plant.assets import undo
from inland.plant.changes import Changes
from inland.plant.keys import Keys, is_live
from inland.ports.store import Store

#: Who did it, in the records of a restore.
RESTORE = "restore"
#: Room that must be left when the home is there: the factory will not start without.
_SPARE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """A home that was restored. `vkey`: of the last log that was signed; `live_keys`: API keys that
    work; `new_operator`: the key in `keys/operator` was made for it.

    `left_out`: files that the factory needs and that must be put back by hand.
    """

    sha256: str
    records: int
    taken_unix_us: int
    vkey: str | None
    live_keys: int
    revoked_keys: int
    new_operator: bool
    left_out: tuple[str, ...]


def restore(
    file: Path, home: Home, *, passphrase: str | None, revoke_keys: bool, bar: Bar
) -> Restored:
    """Make `home` from the backup in `file`. Raises Conflict, BadInput, Damaged, OSError."""
    check_free(home)
    seen = _verify(file, passphrase, bar)
    _demand_room(home, seen.bytes)
    with home_aside(home) as aside:
        _extract(file, passphrase, aside, seen, bar)
        _refuse_server(aside)
        return _settle(aside, seen, revoke_keys=revoke_keys)


@dataclass(slots=True)
class _Seen:
    """What a backup holds, once it was read to its end."""

    sha256: str
    bytes: int
    taken: int
    records: int
    left_out: tuple[str, ...]


def _verify(file: Path, passphrase: str | None, bar: Bar) -> _Seen:
    """Read the whole backup and believe it. Raises Damaged; nothing was touched."""
    total, paths = 0, set()
    with _reading(file, passphrase, "checking", bar) as (reader, progress):
        for path, chunks in reader.parts():
            paths.add(path.partition("/")[0])
            for chunk in chunks:
                total += len(chunk)
                progress(total)
    for needed in (names.DATABASE, names.FACTORY_TOML):
        if needed not in paths:
            raise Damaged("the backup", f"holds no {needed}")
    head = reader.head
    try:
        left_out = tuple(str(each["path"]) for each in head["left_out"])
        return _Seen(reader.digest, total, int(head["taken"]), int(head["records"]), left_out)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("the backup", f"its head lacks something ({error})") from None


@contextmanager
def _reading(
    file: Path, passphrase: str | None, what: str, bar: Bar
) -> Iterator[tuple[Reader, Callable[[int], None]]]:
    size = file.stat().st_size
    with (
        file.open("rb") as raw,
        opening(raw, passphrase) as plain,
        bar(what) as progress,
    ):
        yield Reader(plain), lambda done: progress(min(done, size), size)


def _demand_room(home: Home, size: int) -> None:
    folder = home.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        why = f"has room for {free} bytes, {size + _SPARE_BYTES} are needed"
        raise Conflict(str(folder), why)


def _extract(file: Path, passphrase: str | None, root: Path, seen: _Seen, bar: Bar) -> None:
    """Write every file, synced. Raises Damaged where it is not the backup that was believed."""
    done = 0
    with _reading(file, passphrase, "restoring", bar) as (reader, progress):
        for path, chunks in reader.parts():
            target = root / path
            _make_folders(root, target.parent)
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                    done += len(chunk)
                    progress(done)
                out.flush()
                os.fsync(fd)
    if reader.digest != seen.sha256:
        raise Damaged("the backup", "was changed while it was read")


def _make_folders(root: Path, folder: Path) -> None:
    if folder != root and not folder.is_dir():
        _make_folders(root, folder.parent)
        folder.mkdir(mode=0o700)


def _refuse_server(root: Path) -> None:
    """A restored factory has its own database; what another one uses is never touched."""
    if factory_toml.read(root / names.FACTORY_TOML).database is not None:
        why = (
            "names a PostgreSQL in its factory.toml: no backup of such a factory is made like this"
        )
        raise Conflict("the backup", why)


class _NoGateways:
    """`ports.feed` where nobody listens yet."""

    def publish(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """To nobody."""

    def demand_fits(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Control will demand it when it starts."""

    def wait_in_force(self, version: int) -> None:
        """It is: nobody decides by another."""


def _settle(root: Path, seen: _Seen, *, revoke_keys: bool) -> Restored:
    """Put on the books what happened, revoke keys if that is wanted; the operator's works."""
    store = Database(sqlite_url(root / names.DATABASE))
    try:
        secrets, clock = SecretFolder(root / "keys"), SystemClock()
        changes = Changes(store, _NoGateways(), secrets, clock, SystemEntropy(), FACTORY)
        changes.note(RESTORE, "factory.restore", seen.sha256, taken=seen.taken)
        keys = Keys(changes, _most_keys(root, changes))
        keys.settle()
        before = [key.id for key in keys.all() if not key.revoked] if revoke_keys else []
        new_operator = revoke_keys or not _operator_works(changes)
        if new_operator:
            _keep_operator(root, keys.add(RESTORE, None, Role.OPERATOR)[1])
        for key_id in before:
            keys.revoke(RESTORE, key_id)
        live = len(_live(changes))
        vkey = _vkey(store)
        _end_uploads(changes)
        unsigned = sign_anew(root, store)
    finally:
        store.close()
    _sync_file(root / names.DATABASE)
    if names.ASSET_KEYS in seen.left_out:
        _await_keys(root)
    left_out = (*seen.left_out, *_elsewhere(root, seen.left_out), *unsigned)
    revoked = len(before)
    return Restored(
        seen.sha256, seen.records, seen.taken, vkey, live, revoked, new_operator, left_out
    )


def _end_uploads(changes: Changes) -> None:
    """What was being uploaded begins anew: a backup holds whole assets."""
    with changes.act(RESTORE) as doing:
        assets = doing[0].assets
        for row in assets.uploads():
            for intent in assets.intents():
                if intent.asset == row.id:
                    undo(doing, intent, row.tenant, "no backup holds an upload under way")
            assets.remove_asset(row.id)


def _await_keys(root: Path) -> None:
    """Until the keys' own copy is put back no new ones are made in their place."""
    folder = root / names.ASSET_KEYS
    folder.mkdir(mode=0o700)
    _sync_file(_touched(folder / AWAITED))


def _touched(path: Path) -> Path:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return path


def _elsewhere(root: Path, said: tuple[str, ...]) -> list[str]:
    """Files that factory.toml names by where they lay: a copy in the backup is not found there."""
    declared = factory_toml.read(root / names.FACTORY_TOML)
    found = [str(path) for path in named_files(declared) if not path.is_relative_to(root)]
    return [path for path in found if path not in said]


def _most_keys(root: Path, changes: Changes) -> int:
    """The limit of the factory, and room for one where it is reached."""
    most = factory_toml.read(root / names.FACTORY_TOML).limits.keys
    return max(most, len(changes.snapshot().keys) + 1)


def _live(changes: Changes) -> list[Key]:
    now_s = changes.clock.unix_us() // 1_000_000
    return [key for key in changes.snapshot().keys.values() if is_live(key, now_s)]


def _operator_works(changes: Changes) -> bool:
    """Whether the operator's commands would be heard: the key kept for them may have ended since,
    or be one that took its place after the database was copied. None kept: any operator's key."""
    kept = changes.secrets.operator_key()
    return any(key.role is Role.OPERATOR and kept in {None, key.id} for key in _live(changes))


def _keep_operator(root: Path, text: str) -> None:
    operator = root / "keys" / "operator"
    operator.unlink(missing_ok=True)
    fd = os.open(operator, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(fd)
    sync_folder(operator.parent)


def _vkey(store: Store) -> str | None:
    """Of the last log that was signed: one whose key was just made for it has no receipts."""
    with store.read() as transaction:
        signed = [log for log in transaction.books.logs() if log.checkpoint is not None]
    return notes.vkey(signed[-1].origin, signed[-1].public_key) if signed else None


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

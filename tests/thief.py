"""Who has files of a home, and keys: all that opens for him, and where given bytes lie.

He knows every form of `docs/formats.md` and keeps to no mark: that a tenant withdrew its keys, say.
Each key is tried on each part, and on all bytes of a database that could be a sealed text.
"""

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from itertools import product
from pathlib import Path

from inland.adapters.vault.embedded_keys import ROOT
from inland.adapters.vault.sealing import OVERHEAD_BYTES, VERSION, bound_to, unseal
from inland.ports.keys import KEY_BYTES, KeyName

Keys = dict[KeyName, bytes]


def copied(home: Path, to: Path) -> Path:
    """A copy of all files of a home, but for those that a running factory removes meanwhile;
    sockets are none."""
    for folder, _, names in os.walk(home):
        aside = to / Path(folder).relative_to(home)
        aside.mkdir()
        with suppress(FileNotFoundError):
            shutil.copymode(folder, aside)
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):
                if not path.is_socket():
                    shutil.copy2(path, aside)
    return to


def placed(folder: Path, to: Path) -> None:
    """A copy of a folder, in place of what is there."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)


def with_keys_of(home: Path, today: Path) -> Path:
    """`home`, its `keys/` replaced by those of today."""
    placed(today / "keys", home / "keys")
    return home


def keys_in(home: Path, factory_key: bytes | None = None) -> Keys:
    """Every key that unwraps under the factory key, which lies beside them if it is not given."""
    root = home / ROOT
    wrapping = factory_key or (root / "factory.key").read_bytes()
    assert json.loads((root / "factory.json").read_text())["source"] == "file" or factory_key
    found = {}
    for file in (root / "keys").glob("*/*"):
        name = KeyName(file.parent.name, file.name)
        key = unseal(wrapping, bound_to("inland vault key v1", *name), file.read_bytes())
        if key is not None and len(key) == KEY_BYTES:
            found[name] = key
    return found


def opened(home: Path, keys: Keys, lengths: Collection[int]) -> Iterator[bytes]:
    """All parts, and all texts of these `lengths`, that open."""
    for path in (home / "vault" / "parts").glob("*/*"):
        asset, number, sealed = path.parent.name, str(int(path.name)), path.read_bytes()
        for name, key in keys.items():
            bound = bound_to("inland vault part v1", name.tenant, asset, number)
            yield from _opens(key, bound, sealed)
    for file in home.glob("inland.db*"):
        yield from _texts(file.read_bytes(), keys, lengths)


def sealed_texts(home: Path, assets: Collection[str]) -> list[bytes]:
    """The sealed names and titles of assets, as the database has them."""
    marks = ", ".join("?" for _ in assets)
    with closing(sqlite3.connect(home / "inland.db")) as database:
        query = f"SELECT name, title FROM assets WHERE id IN ({marks})"  # noqa: S608 - marks alone
        return [text for row in database.execute(query, list(assets)) for text in row if text]


def files(home: Path) -> Iterator[tuple[Path, bytes]]:
    """All files of a home and what is in them, but for those that a running factory removes
    meanwhile."""
    for path in sorted(Path(folder, name) for folder, _, names in os.walk(home) for name in names):
        if path.is_file():
            with suppress(FileNotFoundError):
                yield path, path.read_bytes()


def lying(home: Path, needles: Collection[bytes]) -> dict[bytes, list[str]]:
    """In which files of a home these bytes lie anywhere, those in none left out."""
    found: dict[bytes, list[str]] = {}
    for path, data in files(home):
        for needle in needles:
            if needle in data:
                found.setdefault(needle, []).append(str(path.relative_to(home)))
    return found


def _texts(data: bytes, keys: Keys, lengths: Collection[int]) -> Iterator[bytes]:
    for match, length in product(re.finditer(VERSION, data), sorted(set(lengths))):
        sealed = data[match.start() : match.start() + length + OVERHEAD_BYTES]
        for name, key in keys.items():
            for bound in _bounds(name):
                yield from _opens(key, bound, sealed)


def _bounds(name: KeyName) -> list[bytes]:
    if name.asset == "texts":
        return [bound_to("inland vault text v1", name.tenant)]
    return [bound_to("inland vault text v2", *name, field) for field in ("name", "title")]


def _opens(key: bytes, bound: bytes, sealed: bytes) -> Iterator[bytes]:
    data = unseal(key, bound, sealed)
    if data is not None:
        yield data

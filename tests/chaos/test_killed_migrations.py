"""A migration killed anywhere is undone or done, and a copy from before it is kept: the last."""

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from inland.adapters.sql import copies, migrations
from inland.bootstrap.books import database
from inland.domain.errors import Conflict
from tests.fixtures.homes import write_home
from tests.fixtures.homes.older import NEXT, OlderHome, add_next_revision, unpack

HEAD = migrations.REVISION


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    return add_next_revision(migrations.VERSIONS, HEAD, tmp_path / "versions")


@pytest.fixture
def home(tmp_path: Path) -> OlderHome:
    """A home of the newest revision, whichever that is."""
    older = unpack("0001", tmp_path)
    database(older.home).close()
    return older


def dump(file: Path) -> list[str]:
    """The whole of a database, as SQL."""
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def nouns(home: Path) -> dict:
    store = database(home)
    with store.read() as transaction:
        found = write_home.nouns(transaction)
    store.close()
    return found


def test_a_migration_killed_at_any_step_is_undone_and_can_be_done_again(
    home: OlderHome, versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, out = dump(home.home / "inland.db"), tmp_path / "killed"
    said = nouns(home.home)
    argv = [sys.executable, "-m", "tests.chaos.killed_migrations"]
    argv += [str(home.home), str(versions), str(out)]
    ends = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(ends) > 15, "each statement is a step"
    whole = dump(out / ends[-1].split()[0] / "inland.db")
    assert whole != before
    monkeypatch.setattr(migrations, "VERSIONS", versions)
    for line in ends[:-1]:
        killed = out / line.split()[0]
        file = killed / "inland.db"
        assert dump(file) == before, f"killed at step {line}: half a migration"
        monkeypatch.setattr(migrations, "REVISION", HEAD)
        assert nouns(killed) == said, "the version before still runs"
        monkeypatch.setattr(migrations, "REVISION", NEXT)
        database(killed).close()
        assert dump(file) == whole, "and the next one brings it forward"
        assert dump(copies.copy_path(file, HEAD)) == before
        assert not (killed / "inland.db.copying").exists()


def test_the_copy_is_private_and_the_only_one(
    home: OlderHome, versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home.home / "inland.db"
    (home.home / "inland.db.before-0000").touch()
    monkeypatch.setattr(migrations, "VERSIONS", versions)
    monkeypatch.setattr(migrations, "REVISION", NEXT)
    database(home.home).close()
    (kept,) = home.home.glob("inland.db.before-*")
    assert kept == copies.copy_path(file, HEAD)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    database(home.home).close()
    assert kept.exists(), "it stays until the next migration"


def test_without_room_nothing_is_touched(
    home: OlderHome, versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, copied = dump(home.home / "inland.db"), set(home.home.glob("inland.db.*"))
    monkeypatch.setattr(migrations, "VERSIONS", versions)
    monkeypatch.setattr(migrations, "REVISION", NEXT)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(Conflict, match="make room"):
        database(home.home)
    assert dump(home.home / "inland.db") == before
    assert set(home.home.glob("inland.db.*")) == copied


def test_a_migration_that_fails_is_undone(
    home: OlderHome, versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(home.home / "inland.db")
    broken = versions / f"{NEXT}_next.py"
    broken.write_text(broken.read_text() + '    op.execute("SELECT no_such_thing")\n')
    monkeypatch.setattr(migrations, "VERSIONS", versions)
    monkeypatch.setattr(migrations, "REVISION", NEXT)
    with pytest.raises(Exception, match="no_such_thing"):
        database(home.home)
    assert dump(home.home / "inland.db") == before

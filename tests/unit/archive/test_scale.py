"""How the work of check, backup and restore grows with a home: counted, never timed."""

import pytest
from sqlalchemy import Engine, event

from inland.adapters.archive import reader
from inland.adapters.files.disk import Disk, DiskFile
from inland.adapters.home.layout import Home
from inland.bootstrap.backup import Wanted, back_up
from inland.bootstrap.books import check_ledger
from inland.bootstrap.restore import restore
from tests.books_home import BooksHome
from tests.scale import run_step
from tests.unit.archive.test_backup import no_bar

SMALL, LARGE, BATCH = 5_000, 20_000, 500
#: Four times the records may cost four times the work, and a little more for deeper trees.
GROWTH = LARGE / SMALL * 1.1
#: How much more memory a larger home may take: journals are read in pieces of 8 MiB.
MORE_BYTES = 48 << 20


class Counted:
    """What was asked of disk and database inside the block."""

    def __init__(self, monkeypatch):
        self.opened = self.read = self.statements = 0
        open_, read_ = Disk.open, DiskFile.read

        def opened(disk, path, *, create=False):
            self.opened += 1
            return open_(disk, path, create=create)

        def read(file, offset, length):
            data = read_(file, offset, length)
            self.read += len(data)
            return data

        monkeypatch.setattr(Disk, "open", opened)
        monkeypatch.setattr(DiskFile, "read", read)

    def __enter__(self):
        event.listen(Engine, "before_cursor_execute", self._count)
        return self

    def __exit__(self, *_):
        event.remove(Engine, "before_cursor_execute", self._count)

    def _count(self, *_):
        self.statements += 1


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """A small and a large home, filled by the real booking."""
    found = {}
    for records in (SMALL, LARGE):
        made = BooksHome(tmp_path_factory.mktemp("scale") / "home")
        for _ in made.fill(records, BATCH):
            pass
        made.close()
        found[records] = made.home
    return found


def held(home, *folders):
    files = (path for name in folders for path in home.root.glob(f"{name}/**/*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def test_the_check_asks_as_much_more_as_there_is_more(homes, monkeypatch):
    asked = {}
    for records, home in homes.items():
        with monkeypatch.context() as patch, Counted(patch) as counted:
            assert check_ledger(home.root).problems == ()
        asked[records] = counted
        twice = 2 * held(home, "records") + held(home, "journal") + held(home, "ledger")
        assert counted.read <= 1.05 * twice, "more is read again than what pieces cut in two"
        assert counted.statements < records / 10, "the database is asked about single records"
    for count in ("opened", "read", "statements"):
        assert getattr(asked[LARGE], count) <= GROWTH * getattr(asked[SMALL], count), count


def test_a_backup_reads_each_byte_once_and_a_restore_reads_the_backup_twice(
    homes, monkeypatch, tmp_path
):
    for records, home in homes.items():
        file, again = tmp_path / f"{records}", Home(tmp_path / f"home-{records}")
        with monkeypatch.context() as patch, Counted(patch) as counted:
            back_up(home, file, passphrase=None, wanted=Wanted(), bar=no_bar)
        books = held(home, "records", "journal", "ledger")
        assert counted.read <= books
        kept = books + (home.root / "inland.db").stat().st_size
        assert abs(file.stat().st_size - kept) < 65_536, "headers more, spent partial tiles less"
        taken, take = [0], reader.Reader._take

        def counting(self, size, taken=taken, take=take):
            data = take(self, size)
            taken[0] += len(data)
            return data

        with monkeypatch.context() as patch:
            patch.setattr(reader.Reader, "_take", counting)
            restore(file, again, passphrase=None, revoke_keys=False, bar=no_bar)
        assert taken[0] <= 2 * file.stat().st_size


def test_memory_does_not_grow_with_the_home(homes, tmp_path):
    peaks = {}
    for records, home in homes.items():
        file, again = str(tmp_path / f"{records}"), str(tmp_path / f"home-{records}")
        steps = (
            ("ledger", "check", "--home", str(home.root)),
            ("backup", file, "--home", str(home.root)),
            ("restore", file, "--home", again),
        )
        peaks[records] = [run_step(*words)["peak_bytes"] for words in steps]
    assert all(
        large < small + MORE_BYTES for small, large in zip(peaks[SMALL], peaks[LARGE], strict=True)
    ), peaks

"""A home becomes one file and a home again: whole, private, once, and under a log of its own."""

import io
import json
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.archive.container import Writer, whole
from inland.adapters.archive.names import place
from inland.adapters.archive.reader import Reader
from inland.adapters.home.layout import Home
from inland.bootstrap import backup as bootstrap_backup
from inland.bootstrap.backup import Wanted, back_up
from inland.bootstrap.books import check_ledger
from inland.bootstrap.restore import restore
from inland.domain.errors import BadInput, Conflict, Damaged
from inland.domain.plant import Role
from inland.ledger import canonical, receipts
from inland.plant.books.site_log import SiteLog
from inland.plant.keys import Keys, is_live
from inland.ports.files import DiskFull
from tests.books_home import WEIGHTS, BooksHome
from tests.fixtures.homes.older import revisions, unpack


@contextmanager
def no_bar(_what):
    yield lambda _done, _total: None


def keep(home, file, passphrase=None, with_models=False):
    wanted = Wanted(models=with_models)
    return back_up(home, file, passphrase=passphrase, wanted=wanted, bar=no_bar)


def put_back(file, root, passphrase=None, revoke_keys=False):
    return restore(file, Home(root), passphrase=passphrase, revoke_keys=revoke_keys, bar=no_bar)


@pytest.fixture
def filled(tmp_path):
    """A home at work: booked records, records that wait, a stream under way."""
    made = BooksHome(tmp_path / "home")
    made.take_in_first_keys()
    for _ in made.fill(30, 10):
        pass
    made.serve(5)
    made.open_stream()
    yield made
    made.close()


def exported(books, tenants=("acme", "demo")):
    found = [canonical.decode(data) for tenant in tenants for data in books.export(tenant)]
    return [record for record in found if record["kind"] == "request"]


def test_a_restored_factory_has_every_record_once_and_bills_it_once(filled, tmp_path):
    keep(filled.home, tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "again")
    assert check_ledger(tmp_path / "again").problems == ()
    again = BooksHome(tmp_path / "again", seed=2)
    again.books.tick()
    ids = [record["id"] for record in exported(again.books)]
    assert len(ids) == len(set(ids)) == 30 + 5 + 1
    assert sum(row.requests for row in again.books.usage(None)) == 35
    assert sum(row.unbilled for row in again.books.usage(None)) == 1
    again.close()
    assert check_ledger(tmp_path / "again").problems == ()


def test_the_restored_log_is_another_that_names_the_last_head_and_who_restored(filled, tmp_path):
    made = keep(filled.home, tmp_path / "b")
    head = json.loads((filled.home.root / "keys" / "head").read_bytes())
    old = filled.books.vkey
    done = put_back(tmp_path / "b", tmp_path / "again")
    assert done.vkey == old
    assert not (tmp_path / "again" / "keys" / "log").exists()
    again = BooksHome(tmp_path / "again", seed=2)
    again.books.tick()
    assert again.books.vkey != old
    with again.store.read() as transaction:
        first, *rest = [
            canonical.decode(each.record) for each in transaction.books.log_records(1, 0, 100)
        ]
    assert first["details"]["head"] == head
    (told,) = [record for record in rest if record.get("what") == "factory.restore"]
    assert (told["subject"], told["details"]["taken"]) == (made.sha256, made.taken_unix_us)
    earlier = exported(filled.books)[0]["id"]
    receipts.verify(again.books.receipt(earlier), old)
    again.close()


def test_the_original_goes_on_beside_it_and_neither_signs_for_the_other(filled, tmp_path):
    keep(filled.home, tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "again")
    again = BooksHome(tmp_path / "again", seed=2)
    for each in (filled, again):
        each.serve(3)
        each.books.tick()
    (ours, theirs) = (
        (each.home.root / "ledger" / "checkpoint").read_text() for each in (filled, again)
    )
    assert ours.splitlines()[0] != theirs.splitlines()[0]
    filled.close()
    again.close()
    assert check_ledger(filled.home.root).problems == check_ledger(again.home.root).problems == ()


def test_a_restored_home_is_private(filled, tmp_path):
    keep(filled.home, tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "again")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    for path in [tmp_path / "again", *(tmp_path / "again").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_nothing_is_restored_over_a_home_and_no_backup_over_a_file(filled, tmp_path):
    keep(filled.home, tmp_path / "b")
    before = (tmp_path / "b").read_bytes()
    with pytest.raises(Conflict, match="already"):
        keep(filled.home, tmp_path / "b")
    with pytest.raises(Conflict, match="nor empty"):
        put_back(tmp_path / "b", filled.home.root)
    with pytest.raises(BadInput, match="not a folder"):
        keep(filled.home, tmp_path / "nowhere" / "b")
    assert (tmp_path / "b").read_bytes() == before


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_broken_file_is_refused_before_anything_is_there(filled, tmp_path, passphrase):
    keep(filled.home, tmp_path / "b", passphrase)
    data = (tmp_path / "b").read_bytes()
    there = sorted(tmp_path.iterdir())
    flipped = [
        data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]
        for at in (len(data) // 3, len(data) - 1)
    ]
    broken = [data[:-1], *flipped]
    if passphrase is None:  # to work one out is meant to take long
        broken += [data + b"\0", b"", data[:100], data[: len(data) // 2], b"nonsense" * 99]
    for wrong in broken:
        (tmp_path / "b").write_bytes(wrong)
        with pytest.raises((Damaged, BadInput)):
            put_back(tmp_path / "b", tmp_path / "again", passphrase)
        assert sorted(tmp_path.iterdir()) == there


def test_a_sealed_backup_shows_nothing_and_opens_by_its_passphrase_alone(filled, tmp_path):
    operator = filled.home.operator_key.read_bytes().strip()
    keep(filled.home, tmp_path / "plain")
    keep(filled.home, tmp_path / "sealed", "correct horse")
    assert operator in (tmp_path / "plain").read_bytes()
    sealed = (tmp_path / "sealed").read_bytes()
    assert operator not in sealed
    assert b"factory.toml" not in sealed
    with pytest.raises(BadInput, match="--passphrase-file"):
        put_back(tmp_path / "sealed", tmp_path / "again")
    with pytest.raises(BadInput, match="does not open"):
        put_back(tmp_path / "sealed", tmp_path / "again", "battery staple")
    assert not (tmp_path / "again").exists()
    put_back(tmp_path / "sealed", tmp_path / "again", "correct horse")
    assert (tmp_path / "again" / "keys" / "operator").read_bytes().strip() == operator


def test_keys_of_a_restored_factory_work_again_unless_they_are_revoked(filled, tmp_path):
    keep(filled.home, tmp_path / "b")
    assert put_back(tmp_path / "b", tmp_path / "as-it-was").live_keys == 1
    done = put_back(tmp_path / "b", tmp_path / "revoked", revoke_keys=True)
    assert (done.live_keys, done.revoked_keys) == (1, 1)
    old = filled.home.operator_key.read_text()
    new = (tmp_path / "revoked" / "keys" / "operator").read_text()
    assert new != old
    again = BooksHome(tmp_path / "revoked", seed=2)
    first = again.take_in_first_keys()
    keys = again.changes.snapshot().keys
    assert [keys[key.id].revoked for key in first] == [True]
    assert [key.id in new for key in keys.values() if not key.revoked] == [True]
    again.close()


def test_a_key_whose_time_was_over_is_revoked_too_for_clocks_differ(filled, tmp_path):
    ended, _ = Keys(filled.changes, 9).add("op", None, Role.AUDITOR)
    with filled.changes.change("op") as change:
        change.state.put_key(replace(ended, expires_unix_s=1))
    keep(filled.home, tmp_path / "b")
    assert put_back(tmp_path / "b", tmp_path / "revoked", revoke_keys=True).revoked_keys == 2
    again = BooksHome(tmp_path / "revoked", seed=2)
    assert again.changes.snapshot().keys[ended.id].revoked
    again.close()


def end_operators_key(filled):
    with filled.changes.change("op") as change:
        key = change.state.key(filled.changes.secrets.operator_key())
        change.state.put_key(replace(key, expires_unix_s=1))


def rotate_operators_key(filled):
    Keys(filled.changes, 9).rotate("op", filled.changes.secrets.operator_key(), 0)


@pytest.mark.parametrize("happens", [end_operators_key, rotate_operators_key])
@pytest.mark.parametrize("copied", [False, True])
def test_the_operator_of_a_restored_factory_is_not_locked_out(filled, tmp_path, happens, copied):
    """Also where the key changed after the database was copied and before `keys/` was read."""

    @contextmanager
    def bar(what):
        if not copied and what == "database":
            happens(filled)
        yield lambda _done, _total: None
        if copied and what == "database":
            happens(filled)

    back_up(filled.home, tmp_path / "b", passphrase=None, wanted=Wanted(), bar=bar)
    done = put_back(tmp_path / "b", tmp_path / "again")
    again = BooksHome(tmp_path / "again", seed=2)
    kept = again.changes.snapshot().keys[again.changes.secrets.operator_key()]
    assert is_live(kept, int(time.time()))
    assert (kept.id != filled.changes.secrets.operator_key()) == done.new_operator
    again.close()


def test_an_operator_who_keeps_no_key_on_the_machine_gets_none_there(filled, tmp_path):
    filled.home.operator_key.unlink()
    keep(filled.home, tmp_path / "b")
    assert not put_back(tmp_path / "b", tmp_path / "again").new_operator
    assert not (tmp_path / "again" / "keys" / "operator").exists()


def test_a_file_of_a_key_that_goes_meanwhile_is_not_missed(filled, tmp_path, monkeypatch):
    """As `keys/operator.next` does, when the operator's key is rotated."""
    passing, real = filled.home.root / "keys" / "operator.next", bootstrap_backup._read_small
    passing.write_text("")

    def read(path):
        passing.unlink(missing_ok=True)
        return real(path)

    monkeypatch.setattr(bootstrap_backup, "_read_small", read)
    keep(filled.home, tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "again")


def test_a_file_that_is_named_by_where_it_lay_is_said(filled, tmp_path):
    """It is in the backup, and in the restored home; factory.toml looks for it in the other one."""
    token = filled.home.root / "keys" / "upstreams" / "elsewhere.token"
    token.write_text("t")
    toml = filled.home.factory_toml
    toml.write_text(
        toml.read_text() + '\n[[deployment]]\nname = "elsewhere"\nengine = "openai"\n'
        'url = "https://llm.example.org/v1"\nupstream_model = "m"\njurisdiction = "DE"\n'
        f'key_file = "{token}"\n'
    )
    keep(filled.home, tmp_path / "b", with_models=True)
    assert put_back(tmp_path / "b", tmp_path / "again").left_out == (str(token),)


@pytest.mark.parametrize("step", ["_sign", "_succeed"])
def test_the_key_told_is_that_of_the_receipts_there_are(filled, tmp_path, monkeypatch, step):
    """Kept while the log's key was rotated: the old log not yet signed to its end, or just so."""
    filled.books.tick()
    with monkeypatch.context() as patch:
        patch.setattr(SiteLog, step, full_disk)
        with pytest.raises(DiskFull):
            filled.books.rotate_log_key("op", "scheduled")
        keep(filled.home, tmp_path / "b")
    receipt = filled.books.receipt(next(iter(exported(filled.books)))["id"])
    done = put_back(tmp_path / "b", tmp_path / "again")
    assert receipts.verify(receipt, done.vkey).record["kind"] == "request"
    assert check_ledger(tmp_path / "again").problems == ()
    again = BooksHome(tmp_path / "again", seed=2)
    again.books.tick()
    assert check_ledger(tmp_path / "again").problems == ()
    again.close()


def full_disk(*_):
    raise DiskFull("keys/head")


@pytest.mark.parametrize("revision", revisions())
def test_a_backup_of_an_older_schema_comes_forward(tmp_path, revision):
    older = unpack(revision, tmp_path)
    paths = [path.relative_to(older.home) for path in older.home.rglob("*") if path.is_file()]
    parts = [(place(str(path)), str(path)) for path in paths]
    with (tmp_path / "b").open("wb") as out:
        head = {"inland": "0", "taken": 1, "records": 1, "origin": None, "left_out": []}
        writer = Writer(out, head)
        for _, path in sorted(each for each in parts if each[0] is not None):
            writer.add(whole(path, (older.home / path).read_bytes()))
        writer.finish()
    put_back(tmp_path / "b", tmp_path / "again")
    assert check_ledger(tmp_path / "again").problems == ()
    again = BooksHome(tmp_path / "again", seed=2)
    for _ in range(3):
        again.books.tick()
    assert not again.books.alarms
    again.close()
    assert check_ledger(tmp_path / "again").problems == ()


def test_weights_are_left_out_by_name_and_hash_unless_they_are_wanted(filled, tmp_path):
    left = keep(filled.home, tmp_path / "b").left_out
    assert [(each.path, each.why) for each in left] == [("models/m.gguf", "weights")]
    assert put_back(tmp_path / "b", tmp_path / "without").left_out == ("models/m.gguf",)
    assert not list((tmp_path / "without" / "models").iterdir())
    assert keep(filled.home, tmp_path / "b2", with_models=True).left_out == ()
    put_back(tmp_path / "b2", tmp_path / "with")
    assert (tmp_path / "with" / "models" / "m.gguf").read_bytes() == WEIGHTS


def test_what_no_backup_takes_is_said(filled, tmp_path):
    (filled.home.policies / "two words.cedar").write_text("")
    (filled.home.root / "certificates").mkdir()
    (filled.home.root / "certificates" / "own.pem").write_text("")
    (filled.home.root / "vault" / "sealed").write_text("")
    left = {each.path for each in keep(filled.home, tmp_path / "b").left_out}
    assert left == {"policies/two words.cedar", "certificates", "models/m.gguf"}
    wanted = Wanted(content=False)
    made = back_up(filled.home, tmp_path / "b2", passphrase=None, wanted=wanted, bar=no_bar)
    assert {each.path for each in made.left_out} == left | {"vault"}


def test_a_factory_over_a_server_is_neither_kept_nor_restored(filled, tmp_path):
    toml = filled.home.factory_toml
    keep(filled.home, tmp_path / "b")
    named = toml.read_text() + '\n[database]\nurl = "postgresql://nobody@127.0.0.1:1/other"\n'
    forged = io.BytesIO()
    with (tmp_path / "b").open("rb") as file:
        reader = Reader(file)
        writer = Writer(forged, reader.head)
        for path, chunks in reader.parts():
            data = b"".join(chunks)
            writer.add(whole(path, named.encode() if path == "factory.toml" else data))
        writer.finish()
    (tmp_path / "b").write_bytes(forged.getvalue())
    with pytest.raises(Conflict, match="PostgreSQL"):
        put_back(tmp_path / "b", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_the_certificate_a_factory_made_for_itself_is_kept_with_its_key(filled, tmp_path):
    filled.home.tls_certificate.write_text("certificate")
    filled.home.tls_key.write_text("key")
    keep(filled.home, tmp_path / "b")
    put_back(tmp_path / "b", tmp_path / "again")
    assert Home(tmp_path / "again").tls_certificate.read_text() == "certificate"
    assert Home(tmp_path / "again").tls_key.read_text() == "key"


def test_progress_ends_at_all_of_it(filled, tmp_path):
    told: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def bar(what):
        told[what] = []
        yield lambda done, total: told[what].append((done, total))

    back_up(filled.home, tmp_path / "b", passphrase=None, wanted=Wanted(), bar=bar)
    restore(tmp_path / "b", Home(tmp_path / "again"), passphrase=None, revoke_keys=False, bar=bar)
    assert told.keys() == {"database", "backup", "checking", "restoring"}
    for what, steps in told.items():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps), what
        assert len({total for _, total in steps}) == 1, what
    assert all(steps[-1][0] == steps[-1][1] for steps in (told["database"], told["backup"]))


#: Ends its own process, as a kill would, at the moment named by its arguments.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.archive import test_backup
from inland.adapters.archive.container import Writer
from inland.adapters.archive.container import Writer, whole
from inland.adapters.archive.reader import Reader
from inland.adapters.home.layout import Home
from inland.bootstrap import backup, restore

what, at, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
count = 0

def counted(function):
    def call(*given, **named):
        global count
        count += 1
        if count > at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)
    return call

if what == "backup":
    Writer.add = counted(Writer.add)
    os.fsync = counted(os.fsync)
    test_backup.keep(Home(folder / "home"), folder / "b2")
else:
    os.fsync = counted(os.fsync)
    test_backup.put_back(folder / "b", folder / "again")
"""


def killed(what, at, folder):
    """Whether it was killed before it was through."""
    argv = [sys.executable, "-c", KILLED, what, str(at), str(folder)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[3], capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("at", [0, 9, 17])
def test_a_backup_that_was_killed_is_not_there_or_whole(filled, tmp_path, at):
    assert killed("backup", at, tmp_path)
    assert (tmp_path / "b2").exists() == (at == 17), "only the name was not synced yet"
    keep(filled.home, tmp_path / "b3")
    if not (tmp_path / "b2").exists():
        assert not killed("backup", 1000, tmp_path)
    put_back(tmp_path / "b2", tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "b2", "b3", "home"]


@pytest.mark.parametrize("at", [0, 5, 20])
def test_a_restore_that_was_killed_is_not_there_and_the_next_one_is(filled, tmp_path, at):
    keep(filled.home, tmp_path / "b")
    assert killed("restore", at, tmp_path)
    assert not (tmp_path / "again").exists()
    assert not killed("restore", 1000, tmp_path)
    assert check_ledger(tmp_path / "again").problems == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "b", "home"]

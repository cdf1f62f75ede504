"""A home of every earlier schema comes forward: nothing in it is lost, changed or unprovable."""

import hashlib
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.sql import migrations
from inland.bootstrap.books import FACTORY, check_ledger, database
from inland.client import FactoryClient
from inland.ledger import notes, receipts
from inland.plant.books.books import Books
from tests import thief
from tests.factory.running import COMMAND_TIMEOUT_S, verify_outside
from tests.fixtures.homes import write_home
from tests.fixtures.homes.older import OlderHome, revisions, unpack
from tests.patience import PATIENCE_S, until
from tests.ports import free_port
from tests.unit.weights import hostile

#: Homes in which names of assets are sealed under a key of their tenant.
UNDER_THE_TENANT = ("0008", "0009")

#: The ends of the row, for what the code of today does after it brought a home forward.
ENDS = (revisions()[0], revisions()[-1])


@pytest.fixture(params=revisions())
def older(request: pytest.FixtureRequest, tmp_path: Path) -> OlderHome:
    return unpack(request.param, tmp_path)


@contextmanager
def control(home: Path) -> Iterator[FactoryClient]:
    """The control process as the supervisor starts it, and a client with the operator's key."""
    argv = [sys.executable, "-P", "-m", "inland.bootstrap", "control"]
    argv += ["--home", str(home), "--name", "control"]
    log = (home / "logs" / "control.log").open("wb")
    process = subprocess.Popen(argv, stdout=log, stderr=log)
    log.close()
    try:
        until(lambda: _listens(home / "run" / "control.sock") or process.poll() is not None)
        assert process.poll() is None, (home / "logs" / "control.log").read_text()
        key = (home / "keys" / "operator").read_text().strip()
        with FactoryClient(home / "run" / "control.sock", key) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_every_revision_but_the_newest_has_a_home_to_come_from() -> None:
    """The recipe is in CONTRIBUTING.md: the home is written by the code before the revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "newline")
    known = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    assert set(known) - {migrations.REVISION} <= set(revisions()) <= set(known)


def test_the_state_of_an_older_home_is_there_unchanged(older: OlderHome) -> None:
    store = database(older.home)
    with store.read() as transaction:
        found = write_home.nouns(transaction)
        booked = {row["hour_unix_s"] for row in write_home.usage(transaction)}
    store.close()
    assert booked
    said = older.expected["nouns"]
    assert found["policy"] == said["policy"]
    assert found["version"] == said["version"]
    for noun in ("tenants", "keys", "models", "deployments", "replicas"):
        assert found[noun].keys() == said[noun].keys(), noun
        for name, value in said[noun].items():
            assert _as_said(found[noun][name], value) == value, f"{noun} {name}"
    assert check_ledger(older.home).problems == ()


def _as_said(found: object, said: object) -> object:
    """Of what is found now, the fields that there were then."""
    if isinstance(found, dict) and isinstance(said, dict):
        return {name: _as_said(found.get(name), value) for name, value in said.items()}
    return found


def test_an_older_home_goes_on_in_the_books_of_today(older: OlderHome) -> None:
    """Its journal is booked, its sums are the same, and what it recorded can be proved anew."""
    store = database(older.home)
    books = Books(Disk(older.home), store, SystemClock(), SystemEntropy(), FACTORY)
    books.open()
    for _ in range(3):
        books.tick()
    made = {ref: books.receipt(ref) for ref in older.expected["records"]}
    exports = {name: _digest(books.export(name)) for name in older.expected["exports"]}
    assert not books.alarms
    store.close()
    _demand_all(older, made, exports)


@pytest.mark.parametrize("older", ENDS, indirect=True)
def test_an_older_home_goes_on_under_the_control_of_today(older: OlderHome) -> None:
    """The process takes it as its books do, and answers for it."""
    ids = older.expected["records"]
    with control(older.home) as client:
        until(lambda: _is_booked(client, ids[-1]))
        assert {one["id"] for one in client.tenants()} == set(older.expected["nouns"]["tenants"])
        made = {ref: client.receipt(ref) for ref in ids}
        exports = {name: _export(client, name) for name in older.expected["exports"]}
        assert client.status()["alarms"] == []
    _demand_all(older, made, exports)


def _demand_all(
    older: OlderHome, made: Mapping[str, bytes | None], exports: dict[str, str]
) -> None:
    """It is all there, as the version that made the home says, and `made` proves each record."""
    store = database(older.home)
    with store.read() as transaction:
        keys = [notes.vkey(log.origin, log.public_key) for log in transaction.books.logs()]
        used = write_home.usage(transaction)
    store.close()
    assert len(keys) == 2, "a log set aside, and the one that goes on"
    said = older.expected["usage"]
    assert [{n: row[n] for n in then} for row, then in zip(used, said, strict=True)] == said
    assert exports == older.expected["exports"]
    for ref, receipt in made.items():
        assert receipt is not None, ref
        assert any(_verifies(receipt, key) for key in keys), ref
    assert check_ledger(older.home).problems == ()


@pytest.mark.parametrize("older", UNDER_THE_TENANT, indirect=True)
def test_names_of_an_older_home_are_sealed_anew_and_their_old_key_goes(older: OlderHome) -> None:
    """And a copy from before opens none of them with the keys of today, of erased ones neither."""
    named = older.expected["assets"]
    keys, texts = older.home / "keys" / "vault" / "keys", {name for name in named.values() if name}
    before, lengths = thief.copied(older.home, older.home.parent / "before"), [*map(len, texts)]
    assert _opened(before, lengths) == {name.encode() for name in texts}
    with control(older.home) as client:
        until(lambda: not list(keys.glob("*/texts")))
        told = {one["id"]: one for one in client.assets(erased=True)}
    live = {one for one in told if told[one]["state"] == "live"}  # some retention has ended since
    assert told.keys() == named.keys()
    assert {one: told[one]["name"] for one in live} == {one: named[one] for one in live}
    assert bool(live) == bool(named)
    assert _opened(older.home, lengths) == {named[one].encode() for one in live}
    assert _opened(thief.with_keys_of(before, older.home), lengths) == set()


def _opened(home: Path, lengths: list[int]) -> set[bytes]:
    """Texts that open, to whoever has the home."""
    (home / "vault").rename(home / "aside")  # content has its own tests
    found = set(thief.opened(home, thief.keys_in(home), lengths)) if lengths else set()
    (home / "aside").rename(home / "vault")
    return found


def _is_booked(client: FactoryClient, ref: str) -> bool:
    try:
        return bool(client.receipt(ref))
    except Exception:  # noqa: BLE001 - not yet
        return False


def _export(client: FactoryClient, tenant: str) -> str:
    with client.records(tenant) as pieces:
        return _digest(b"".join(pieces).splitlines())


def _digest(lines: Iterable[bytes]) -> str:
    """As `write_home.book_the_rest` sums a tenant's records up."""
    return sha256(b"\n".join(sorted(write_home.not_made_by_booking(lines)))).hexdigest()


def _verifies(receipt: bytes, key: str) -> bool:
    try:
        receipts.verify(receipt, key)
    except Exception:  # noqa: BLE001 - by the other key
        return False
    return True


@pytest.mark.parametrize("when", ["before", "after"])
def test_receipts_that_were_kept_then_verify_today(older: OlderHome, when: str) -> None:
    folder = older.kept / when
    kept = sorted(folder.glob("*.json"))
    assert len(kept) > 5
    keys = {path.parent.name: path for path in older.kept.glob("*/vkey")}
    for path in kept:
        assert any(_verifies(path.read_bytes(), key.read_text()) for key in keys.values()), path
    outside = [verify_outside(kept[-1], key) for key in keys.values()]
    assert 0 in {done.returncode for done in outside}


def test_a_home_is_written_by_the_code_at_hand(tmp_path: Path) -> None:
    """So the tool is there when a revision is added; and what it writes is whole."""
    packed = write_home.write(tmp_path)
    assert packed.name == f"{migrations.REVISION}.tar.xz"
    home = tmp_path / "made"
    home.mkdir()
    shutil.unpack_archive(packed, home, "xztar", filter="tar")
    expected = json.loads((home / "kept" / "expected.json").read_text())
    assert expected["revision"] == migrations.REVISION
    assert check_ledger(home / "home").problems == ()
    again = tmp_path / "again"
    again.mkdir()
    assert write_home.write(again).read_bytes() == packed.read_bytes()


def _clean_model(home: Path) -> None:
    """The packed weights are a few bytes that no start takes for a model's: others, declared."""
    weights = home / "models" / "tiny.gguf"
    was, data = hashlib.sha256(weights.read_bytes()).hexdigest(), hostile.gguf()
    weights.write_bytes(data)
    toml = home / "factory.toml"
    toml.write_text(toml.read_text().replace(was, hashlib.sha256(data).hexdigest()))


@pytest.mark.parametrize("older", ENDS, indirect=True)
def test_a_home_of_a_newer_version_is_refused_in_one_clear_line(older: OlderHome) -> None:
    file = older.home / "inland.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
    before = file.read_bytes()
    _clean_model(older.home)
    argv = [str(Path(sys.executable).with_name("inland"))]
    for words in (["ledger", "check"], ["up", "--detach", "--port", str(free_port())]):
        whole = [*argv, *words, "--home", str(older.home)]
        done = subprocess.run(
            whole, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
        assert "a newer Inland made it (schema 9998, this one knows up to" in done.stderr
    assert file.read_bytes() == before


def _doctor(home: Path, *words: str) -> tuple[int, dict[str, dict]]:
    argv = [str(Path(sys.executable).with_name("inland")), "doctor", "--json", *words]
    argv += ["--home", str(home)]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )
    return done.returncode, {found["what"]: found for found in json.loads(done.stdout)}


@pytest.mark.parametrize("older", ENDS, indirect=True)
def test_the_doctor_looks_at_a_home_without_a_factory(older: OlderHome) -> None:
    """It says what a start would do, what is damaged, and what to do about it."""
    database(older.home).close()
    code, found = _doctor(older.home)
    assert (code, [one for one in found.values() if one["health"] == "bad"]) == (0, [])
    strict, now = _doctor(older.home, "--strict")  # which may find a busy machine
    assert strict == int(any(one["health"] == "warn" for one in now.values()))
    assert found["journals"]["told"].endswith("the next start books it")
    assert "wait to be booked" in found["ledger"]["told"]
    assert found["processes"]["told"] == "no factory runs there"
    with closing(sqlite3.connect(older.home / "inland.db")) as connection, connection:
        connection.execute("UPDATE positions SET damage = 'a damaged frame' WHERE NOT gone")
    weights = older.home / "models" / "tiny.gguf"
    weights.write_bytes(b"other" + weights.read_bytes())
    code, found = _doctor(older.home)
    assert code == 1
    for what, told in (("journals", "a damaged frame"), ("model tiny", "tiny.gguf")):
        assert found[what]["health"] == "bad"
        assert told in found[what]["told"]
        assert found[what]["remedy"]
    with closing(sqlite3.connect(older.home / "inland.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
    code, found = _doctor(older.home)
    assert "a newer Inland made it" in found["database"]["told"]
    (older.home / "inland.db").unlink()
    assert _doctor(older.home)[1]["database"]["health"] == "warn"

"""The log's key rotated: what was provable stays so, and one key signs at a time.

`tests/chaos/test_books_forgetful.py` stops a rotation at every operation.
"""

import threading

import pytest

from inland.domain.errors import Damaged
from inland.ledger import canonical, notes, receipts
from inland.ledger.rotation import COMPROMISED, SCHEDULED, Successor, successor
from inland.plant.books import keys
from inland.plant.books.check import check
from inland.plant.books.durable import read_file
from inland.plant.books.public import PublicLedger
from inland.plant.books.tile_files import TileFiles, suffix
from inland.ports.files import DiskFull


def findings(world):
    return check(world.disk.process("auditor"), world.database).findings


def logs(world):
    with world.database.read() as transaction:
        return transaction.books.logs()


@pytest.fixture
def rotated(world):
    """A log of 300 entries, one of them a request's batch; then another key."""
    world.commit("acme")
    for _ in range(300):
        world.change()
    world.tick()
    world.old = world.books().vkey
    world.rotate()
    world.change()
    world.tick()
    return world


def test_what_was_proved_by_the_old_key_still_is_and_by_no_other(rotated):
    books = rotated.books()
    assert books.vkey != rotated.old
    for ref in [*rotated.seen.records, *rotated.seen.changes[:300:60]]:
        data = books.receipt(ref, since=7)
        assert receipts.verify(data, rotated.old).checkpoint.size > 300
        with pytest.raises(receipts.Refused, match="use the key of its own log"):
            receipts.verify(data, books.vkey)
    receipts.verify(books.receipt(rotated.seen.changes[-1]), books.vkey)
    assert not findings(rotated)


def test_its_last_entry_leads_to_the_new_key_and_the_first_one_back(rotated):
    old, new = logs(rotated)
    verified = receipts.verify(rotated.books().successor(suffix(old.origin)), rotated.old)
    assert successor(verified) == Successor(rotated.books().vkey, SCHEDULED)
    with rotated.database.read() as transaction:
        assert transaction.books.log_size(old.number) == old.checkpoint.size
        first = canonical.decode(transaction.books.log_records(new.number, 0, 1)[0].record)
    head = {"origin": old.origin, "size": old.checkpoint.size, "root": old.checkpoint.root.hex()}
    assert (first["what"], first["subject"], first["details"]) == (
        "log.open",
        new.origin,
        {"head": head},
    )
    assert rotated.books().successor(suffix(new.origin)) is None


def test_the_old_key_is_gone(rotated):
    old, new = logs(rotated)
    files = rotated.disk.process("auditor")
    assert keys.public_bytes(keys.kept_key(files)) == new.public_key != old.public_key
    assert files.list("keys") == ["head", "log"]


def test_what_is_published_stays_where_it_was(rotated):
    old, new = logs(rotated)
    shown = PublicLedger(rotated.disk.process("anyone"))
    assert shown.checkpoint(suffix(old.origin)) == old.checkpoint.note.encode()
    assert shown.checkpoint(suffix(new.origin)) == shown.checkpoint()
    assert shown.checkpoint() == new.checkpoint.note.encode()
    assert len(shown.tile("tile/0/000", suffix(old.origin))) == 256 * 32
    assert shown.tile("tile/0/000", suffix(new.origin)) is None
    assert len(shown.tile("tile/0/000.p/2")) == 64


def test_keys_are_rotated_as_often_as_wanted(rotated):
    rotated.seen.rotations.append(rotated.books().rotate_log_key("operator", COMPROMISED))
    rotated.rotate()
    rotated.tick()
    assert len(logs(rotated)) == 4
    rotated.demand_kept()


@pytest.mark.parametrize("what", ["tile/0/000", "tile/entries/000", "checkpoint"])
def test_a_byte_changed_in_a_log_that_ended_is_found(rotated, what):
    file = rotated.disk.process("somebody").open(f"ledger/{suffix(logs(rotated)[0].origin)}/{what}")
    data = file.read(0, file.size())
    file.truncate(0)
    file.append(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    assert any(what in finding for finding in findings(rotated))


def test_an_end_that_names_another_key_is_found(rotated):
    with rotated.database._writer.begin() as connection:
        connection.exec_driver_sql("UPDATE logs SET origin = 'factory/log/00000000' WHERE number=1")
    assert any("names another key" in finding for finding in findings(rotated))


def test_a_rotation_that_a_full_disk_cut_short_goes_on_by_itself(world, monkeypatch):
    world.change()
    old = world.books().vkey

    def full(*_):
        raise DiskFull("ledger/x")

    with monkeypatch.context() as patch:
        patch.setattr(TileFiles, "end", full)
        with pytest.raises(DiskFull):
            world.books().rotate_log_key("operator", SCHEDULED)
        world.change()
        with pytest.raises(DiskFull):
            world.books().tick()
        assert not findings(world), "half way is not wrong"
        assert world.books().vkey == old
    world.tick()
    assert world.books().vkey != old
    world.demand_kept()


def test_a_rotation_that_never_was_leaves_the_key_in_force(world, monkeypatch):
    world.change()
    world.tick()
    old = world.books().vkey
    with monkeypatch.context() as patch:

        def broken(*_):
            raise Damaged("ledger", "a tile is gone")

        patch.setattr("inland.plant.books.site_log.SiteLog._root_at", broken)
        with pytest.raises(Damaged):
            world.books().rotate_log_key("operator", SCHEDULED)
    world._kill("control")
    world.change()
    world.tick()
    assert world.books().vkey == old
    assert len(logs(world)) == 1
    world.demand_kept()


def test_receipts_and_tiles_can_be_had_while_keys_are_rotated(world):
    """Readers never see one log's tiles for another's."""
    for _ in range(20):
        world.commit("acme")
        world.change()
    world.tick()
    books, shown = world.books(), PublicLedger(world.disk.process("anyone"))
    wrong: list[str] = []
    rounds, ended = [0], threading.Event()

    def read() -> None:
        while not ended.is_set():
            for ref in (*world.seen.records, *world.seen.changes):
                data = books.receipt(ref)
                if data is None:
                    wrong.append(f"no receipt of {ref}")
                    continue
                try:
                    receipts.verify(data, world._vkey_of(data))
                except receipts.Refused as error:
                    wrong.append(str(error))
            note = shown.checkpoint()
            if note is None:
                wrong.append("no checkpoint")
            rounds[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            before, left = rounds[0], 5000
            books.rotate_log_key("operator", SCHEDULED)
            while rounds[0] == before and reader.is_alive() and (left := left - 1):
                ended.wait(0.01)
    finally:
        ended.set()
        reader.join()
    assert not wrong, wrong[:3]
    assert rounds[0] >= 5
    kept = read_file(world.disk.process("anyone"), "ledger/checkpoint").decode()
    assert notes.open_note(kept, books.vkey).size == 1

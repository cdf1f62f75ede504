"""What happens while somebody looks, or half way through: readers and crashes between two steps."""

import pytest

from inland.domain.errors import Damaged
from inland.ledger import notes
from inland.plant.books import booking, journals, keys
from inland.plant.books.check import check
from inland.plant.books.durable import read_file
from inland.plant.books.receipts import _LogTree
from inland.plant.books.tile_files import TileFiles
from inland.ports.files import DiskFull


def stored(world):
    with world.database.read() as transaction:
        return transaction.books.current_log().checkpoint


def published(world):
    return read_file(world.disk.process("anyone"), "ledger/checkpoint").decode()


def findings(world):
    return check(world.disk.process("auditor"), world.database).findings


def test_a_proof_begun_under_a_partial_tile_is_finished_when_that_one_is_gone(world):
    world.change()
    world.tick()
    files = world.disk.process("reader")
    with world.database.read() as transaction:
        log = transaction.books.current_log()
        tree = _LogTree(transaction.books, files, log)
        for _ in range(300):
            world.change()
        world.tick()
        assert not files.exists(f"ledger/tile/0/000.p/{tree.size}")
        assert tree.inclusion(0)
        bundle = TileFiles(files, "any").read(f"tile/entries/000.p/{tree.size}")
        assert len(bundle) == tree.size * 34


def test_a_checkpoint_that_could_not_be_published_is_published_by_the_next_tick(world, monkeypatch):
    world.change()
    with monkeypatch.context() as patch:

        def full(*_):
            raise DiskFull("ledger/checkpoint.new")

        patch.setattr(TileFiles, "publish", full)
        with pytest.raises(DiskFull):
            world.books().tick()
        assert "no room left" in world.books().alarms[0]
    assert published(world) != stored(world).note
    assert not findings(world)
    world.tick()
    assert not world.books().alarms
    assert published(world) == stored(world).note


def test_a_journal_its_maker_never_finished_goes_after_a_while(world):
    files = world.disk.process("gateway")
    files.make_dir("journal/new-w9")
    files.lock("journal/new-w9/lock")
    files.open(f"journal/new-w9/{0:016x}.frames", create=True)
    for _ in range(booking.ASIDE_TICKS + 2):
        world.tick()
    assert files.exists("journal/new-w9"), "its maker lives"
    world.disk.kill("gateway")
    for _ in range(3):
        world.tick()
    assert not files.exists("journal/new-w9")


def test_a_young_folder_aside_is_left_to_its_maker(world):
    files = world.disk.process("gateway")
    files.make_dir("journal/new-w9")
    for _ in range(booking.ASIDE_TICKS - 1):
        world.tick()
    assert files.exists("journal/new-w9")


def test_an_older_log_is_set_aside_whole_though_a_crash_came_between(world):
    world.commit("acme")
    world.tick()
    origin, note = published(world).split("\n")[0], published(world)
    world._kill("control")
    files = world.disk.process("somebody")
    folder = f"ledger/{origin.rpartition('/')[2]}"
    files.make_dir(folder)
    files.rename("ledger/tile", f"{folder}/tile")
    world.tick()
    assert read_file(files, f"{folder}/checkpoint").decode() == note
    assert published(world).split("\n")[0] != origin
    assert not findings(world)


def test_a_published_checkpoint_of_another_history_is_found(world):
    world.change()
    world.tick()
    books, size = world.books(), stored(world).size
    log = books._log
    origin = log._at.origin
    for wrong in (size, size - 1, size + 1):
        body = notes.checkpoint_body(origin, wrong, bytes(32))
        forged = notes.sign(body, origin, log._at.key.sign, log._at.public)
        TileFiles(world.disk.process("control"), "any").publish(forged)
        assert findings(world), wrong
    TileFiles(world.disk.process("control"), "any").publish(stored(world).note)
    assert not findings(world)


def test_a_journal_that_is_booked_and_removed_meanwhile_is_not_damage(world, monkeypatch):
    for _ in range(30):
        world.commit("acme")
    world.tick()
    world.commit("acme")
    read, left = journals.read, [3]

    def meanwhile(files, writer, position, *, sync):
        if not sync and left and left.pop():
            world.kill_gateway()
            for _ in range(3):
                world.books().tick()
        return read(files, writer, position, sync=sync)

    monkeypatch.setattr(journals, "read", meanwhile)
    assert findings(world) == []


def test_asking_for_the_public_key_makes_no_key(world):
    world.tick()
    files = world.disk.process("somebody")
    files.remove("keys/log")
    with pytest.raises(Damaged, match="keys/log"):
        keys.kept_key(files)
    assert not files.exists("keys/log")


def test_a_database_put_back_from_before_a_journal_went_is_an_alarm(world):
    """What that writer acknowledged since the copy is in no total: that is not well."""
    world.commit("acme")
    world.tick()
    world.back_up()
    world.commit("acme")
    world.kill_gateway()
    for _ in range(3):
        world.tick()
    assert not world.books().alarms
    world._kill("control")
    world.restore(head_too=False)
    world.tick()
    (alarm,) = world.books().alarms
    assert journals.MISSING in alarm
    assert any(journals.MISSING in finding for finding in findings(world))

"""Receipts and the log they end in: what is booked can be proved, by the newest checkpoint."""

import pytest

from inland.domain.errors import BadInput, Damaged
from inland.ledger import notes, receipts
from inland.ledger.receipts import Kept
from inland.plant.books.check import check


def only_id(world):
    (record_id,) = world.seen.records
    return record_id


def newest_note(world):
    return list(world.seen.notes)[-1]


def test_a_record_is_proved_by_its_id_or_its_answers(world):
    world.commit("acme")
    world.tick()
    books = world.books()
    plain, answer = books.receipt(only_id(world)), books.receipt(f"chatcmpl-{only_id(world)}")
    assert plain == answer
    verified = receipts.verify(plain, books.vkey)
    assert verified.chain == ("request", "tenant-batch", "batch")
    assert verified.record["id"] == only_id(world)


def test_a_change_is_proved_by_the_log_alone(world):
    world.change()
    world.tick()
    verified = receipts.verify(world.books().receipt(world.seen.changes[0]), world.books().vkey)
    assert verified.chain == ("change",)


@pytest.mark.parametrize("ref", ["", "x", "chatcmpl-", "0" * 32, "01a0c450-6c02-7aa3-8016", "\0"])
def test_what_is_no_reference_has_no_receipt(world, ref):
    assert world.books().receipt(ref) is None
    assert world.books().locate(ref) is None


def test_a_reference_nobody_knows_has_no_receipt(world):
    assert world.books().receipt("01a0c450-6c02-7aa3-8016-5a67036f0d6b") is None
    assert world.books().locate("01a0c450-6c02-7aa3-8016-5a67036f0d6b") is None


def test_nothing_is_proved_before_a_checkpoint_covers_it(world):
    world.change()
    assert world.books().receipt(world.seen.changes[0]) is None
    assert world.books().locate(world.seen.changes[0])[0] is None
    world.tick()
    assert world.books().receipt(world.seen.changes[0]) is not None


def test_a_receipt_extends_the_checkpoint_somebody_kept(world):
    kept = newest_note(world)
    size = notes.open_note(kept, world.books().vkey).size
    world.commit("acme")
    world.tick()
    receipt = world.books().receipt(only_id(world), since=size)
    verified = receipts.verify(receipt, world.books().vkey, Kept(checkpoint=kept))
    assert len(verified.compared) == 1


@pytest.mark.parametrize("since", [-1, 99])
def test_a_log_proves_nothing_since_it_never_was(world, since):
    world.commit("acme")
    world.tick()
    with pytest.raises(BadInput, match="since"):
        world.books().receipt(only_id(world), since=since)


def test_a_log_of_many_tiles_proves_its_first_and_last_and_keeps_no_old_partials(world):
    for number in range(300):
        world.change()
        if number % 40 == 0:
            world.tick()
    world.tick()
    for at in (0, 1, 254, 255, 256, 299):
        receipt = world.books().receipt(world.seen.changes[at], since=at)
        receipts.verify(receipt, world.books().vkey)
    files = world.disk.process("auditor")
    assert "000.p" not in files.list("ledger/tile/0")
    assert "000.p" not in files.list("ledger/tile/entries")
    assert check(files, world.database).good


def test_what_an_older_log_signed_stays_provable_under_its_own_key(world):
    world.commit("acme")
    world.tick()
    old_key, old_note = world.books().vkey, newest_note(world)
    world._kill("control")
    files = world.disk.process("somebody")
    files.remove("keys/head")
    world.change()
    world.tick()
    assert world.books().vkey != old_key
    receipts.verify(world.books().receipt(only_id(world), since=1), old_key)
    receipts.verify(world.books().receipt(world.seen.changes[0]), world.books().vkey)
    suffix = old_key.split("+")[0].rpartition("/")[2]
    published = files.open(f"ledger/{suffix}/checkpoint")
    assert published.read(0, 9999).decode() == old_note
    assert files.exists(f"ledger/{suffix}/tile/0/000.p/{2}")
    assert check(files, world.database).good


def test_a_new_log_names_the_head_of_the_one_before(world):
    world._kill("control")
    files = world.disk.process("somebody")
    files.open("keys/log.new", create=True).append(bytes(32))
    files.rename("keys/log.new", "keys/log")
    kept = notes.open_note(newest_note(world), list(world.seen.notes.values())[-1])
    world.tick()
    with world.database.read() as transaction:
        log = transaction.books.current_log()
        first = transaction.books.log_records(log.number, 0, 1)[0].record
    assert log.number == 1
    assert kept.root.hex().encode() in first
    assert kept.origin.encode() in first


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_signing_key_that_is_not_one_is_never_replaced(world, content):
    world._kill("control")
    file = world.disk.process("somebody").open("keys/log")
    file.truncate(0)
    file.append(content)
    with pytest.raises(Damaged, match="keys/log"):
        world.tick()
    assert file.read(0, 99) == content

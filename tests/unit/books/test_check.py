"""`ledger check` finds whatever does not agree; the laws here are that nothing escapes it."""

import pytest
from sqlalchemy import text

from inland.plant.books.check import check


@pytest.fixture
def world(world):
    for _ in range(3):
        world.commit("acme")
        world.commit("demo")
        world.tick()
    world.change()
    world.tick()
    return world


def findings(world):
    return check(world.disk.process("auditor"), world.database).findings


def test_good_books_give_no_finding_and_all_is_counted(world):
    report = check(world.disk.process("auditor"), world.database)
    assert report.good
    assert (report.records, report.tenant_batches, report.batches) == (6, 6, 4)
    assert report.log_entries == 6
    assert report.journal_frames >= 1


def every_file(world, folder=""):
    files = world.disk.process("somebody")
    for name in files.list(folder):
        path = f"{folder}/{name}".lstrip("/")
        try:
            file = files.open(path)
        except IsADirectoryError:
            yield from every_file(world, path)
        else:
            yield path, file


#: Partial tiles of earlier checkpoints are nobody's proof any more; locks are empty.
def relied_on(world):
    for path, file in every_file(world):
        old = ".p/" in path and not path.endswith(".p/6")
        if file.size() and not old and path not in {"keys/log", "ledger/checkpoint.new"}:
            yield path, file


def test_a_byte_changed_in_any_file_is_found(world):
    paths = [path for path, _ in relied_on(world)]
    assert {path.split("/")[0] for path in paths} == {"journal", "records", "ledger", "keys"}
    for path, file in relied_on(world):
        data = file.read(0, file.size())
        for at in range(0, len(data), 97):
            file.truncate(0)
            file.append(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
            assert findings(world), f"{path} at {at}"
        file.truncate(0)
        file.append(data)
        assert not findings(world)


def test_a_file_that_is_gone_is_found(world):
    for path, file in list(relied_on(world)):
        data = file.read(0, file.size())
        files = world.disk.process("somebody")
        files.remove(path)
        assert findings(world), path
        files.open(path, create=True).append(data)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE usage SET completion_tokens = completion_tokens - 1",
        "DELETE FROM usage WHERE tenant = 'acme'",
        "DELETE FROM record_ids WHERE batch = 1",
        "UPDATE record_ids SET batch = 2 WHERE batch = 1",
        "INSERT INTO record_ids VALUES (x'00', 1, 9)",
        "DELETE FROM tenant_batches WHERE id = 2",
        "DELETE FROM tenant_batches WHERE batch = 2",
        "UPDATE tenant_batches SET record = x'7b7d' WHERE id = 3",
        "UPDATE volumes SET bytes = bytes + 1 WHERE tenant = 'demo'",
        "UPDATE positions SET booked = booked + 1",
        "UPDATE positions SET batches = batches + 1",
        "UPDATE log_entries SET entry = x'00' WHERE \"index\" = 1",
        "UPDATE log_entries SET record = x'7b7d' WHERE \"index\" = 1",
        'DELETE FROM log_entries WHERE "index" = 2',
        "UPDATE logs SET checkpoint_size = 3",
        "UPDATE logs SET public_key = zeroblob(32)",
        "DELETE FROM logs",
    ],
)
def test_a_row_changed_in_the_database_is_found(world, change):
    with world.database._writer.begin() as connection:
        assert connection.execute(text(change)).rowcount
    assert findings(world)


def test_records_that_wait_to_be_booked_are_not_wrong(world):
    world.commit("acme")
    report = check(world.disk.process("auditor"), world.database)
    assert report.good
    assert report.unbooked == 1


def test_checking_changes_nothing(world):
    before = world.operations
    findings(world)
    assert world.operations == before

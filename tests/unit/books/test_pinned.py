"""A backup's books are of one moment, whatever booking and gateways do while it is made."""

from contextlib import contextmanager

import pytest

from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.errors import Busy, Damaged
from inland.ledger import canonical, receipts
from inland.plant.books.books import Books
from inland.plant.books.check import check
from inland.plant.books.durable import read_file
from inland.plant.books.pinned import pinned


def nothing(world):
    """The factory stands still."""


def a_request(world):
    world.commit("acme")


def a_tick(world):
    world.tick()


def many_requests(world):
    """Enough that segments are closed, booked and removed."""
    for _ in range(8):
        world.commit("demo")
    world.tick()
    world.tick()


def the_gateway_dies(world):
    """Its journal is sealed, booked and removed, and another begins."""
    world.kill_gateway()
    world.tick()
    world.tick()
    world.commit("acme")


def a_rotation(world):
    """The log ends, and another begins under another key."""
    world.rotate()


MEANWHILE = [nothing, a_request, a_tick, many_requests, the_gateway_dies, a_rotation]


class Kept:
    """A backup in memory, and the factory that is made of it."""

    def __init__(
        self, world, folder, before=nothing, after=nothing, always=None, before_reading=None
    ):
        self._world, self._copy = world, folder / "copy.db"
        self._meanwhile = [always] * 9 if always else [(before, after)]
        self.disk = ForgetfulDisk()
        files = self.disk.process("control")
        for name in ("journal", "records", "ledger", "keys"):
            files.make_dir(name)
        with pinned(world.disk.process("somebody"), self._copied) as (_, found):
            if before_reading is not None:
                before_reading()
            for each in found:
                data = b"".join(each.chunks())
                assert len(data) == each.size, each.path
                self._put(files, each.path, data)
        self.database = Database(sqlite_url(self._copy), synchronous="OFF")

    @contextmanager
    def _copied(self):
        before, after = self._meanwhile.pop() if self._meanwhile else (nothing, nothing)
        before(self._world)
        self._copy.unlink(missing_ok=True)
        self._world.database.copy_to(self._copy, lambda *_: None)
        after(self._world)
        made = Database(sqlite_url(self._copy), read_only=True)
        yield made
        made.close()

    @staticmethod
    def _put(files, path, data):
        folder = ""
        for part in path.split("/")[:-1]:
            folder = f"{folder}/{part}".lstrip("/")
            if not files.exists(folder):
                files.make_dir(folder)
        files.open(path, create=True).append(data)

    def check(self):
        return check(self.disk.process("auditor"), self.database).findings

    def start(self):
        """As a factory: everything that waits is booked."""
        files = self.disk.process("control")
        self._world._clock.now_us += 1_000_000
        clock, entropy = self._world._clock, self._world._entropy
        books = Books(files, self.database, clock, entropy, "test")
        books.open()
        for _ in range(3):
            books.tick()
        return books


def exported(books):
    found: dict[str, list[bytes]] = {}
    for tenant in ("acme", "demo"):
        for data in books.export(tenant):
            record = canonical.decode(data)
            if record["kind"] == "request":
                found.setdefault(record["id"], []).append(data)
    return found


def busy(world):
    """A factory with booked and unbooked records, a stream under way, and a closed segment."""
    for _ in range(3):
        world.commit("acme")
        world.commit("demo")
        world.tick()
    world.change()
    world.tick()
    world.commit("acme", opening="long")
    world.commit("demo")


@pytest.mark.parametrize("after", MEANWHILE)
@pytest.mark.parametrize("before", MEANWHILE)
def test_all_that_was_acknowledged_before_is_kept_once(world, tmp_path, before, after):
    busy(world)
    there, streams = dict(world.seen.records), set(world.seen.openings)
    kept = Kept(world, tmp_path, before, after)
    assert kept.check() == []
    books = kept.start()
    assert not books.alarms
    assert kept.check() == []
    found = exported(books)
    assert all(found.get(record) == [data] for record, data in there.items())
    assert all(len(copies) == 1 for copies in found.values()), "something is there twice"
    assert streams <= found.keys()
    for record in found:
        receipts.verify(books.receipt(record), vkey_of(kept, record))
    billed = [d for copies in found.values() for d in copies if canonical.decode(d)["billed"]]
    assert sum(row.requests for row in books.usage(None)) == len(billed)
    assert not world.books().alarms, "the factory that was copied minds nothing"
    world._kill("control")
    world.tick()
    world.demand_one_history()
    kept.database.close()


def vkey_of(kept, record):
    """The public key of the log that a record's receipt is under."""
    from inland.ledger import notes
    from inland.plant.books.tally import id_bytes
    from inland.ports.books import batch_ref

    with kept.database.read() as transaction:
        place = transaction.books.place(id_bytes(record))
        top = transaction.books.log_record(batch_ref(place.batch.writer, place.batch.batch))
        log = transaction.books.logs()[top.log]
    return notes.vkey(log.origin, log.public_key)


def test_a_restored_log_is_another_and_names_the_last_head(world, tmp_path):
    busy(world)
    kept = Kept(world, tmp_path)
    head = canonical.decode(read_file(world.disk.process("somebody"), "keys/head"))
    books = kept.start()
    assert books.vkey != world.books().vkey
    with kept.database.read() as transaction:
        logs = transaction.books.logs()
        first = canonical.decode(transaction.books.log_records(1, 0, 1)[0].record)
    assert len(logs) == 2
    assert (first["what"], first["details"]["head"]) == ("log.open", head)
    kept.database.close()


def test_receipts_of_before_hold_in_the_restored_factory_under_the_old_key(world, tmp_path):
    world.commit("acme")
    world.tick()
    (record,) = world.seen.records
    old = world.books().vkey
    kept = Kept(world, tmp_path)
    receipts.verify(kept.start().receipt(record), old)
    kept.database.close()


def test_journals_that_outrun_every_copy_are_said_and_nothing_is_kept(world, tmp_path):
    busy(world)

    with pytest.raises(Busy):
        Kept(world, tmp_path, always=(many_requests, the_gateway_dies))


def test_records_missing_behind_the_booked_length_are_damage(world, tmp_path):
    busy(world)
    files = world.disk.process("somebody")
    files.remove(f"records/acme/{world.writer}.jsonl")
    with pytest.raises(Damaged, match="missing"):
        Kept(world, tmp_path)


def test_a_journal_that_nobody_booked_and_that_goes_right_after_was_held_before(world, tmp_path):
    busy(world)
    world.kill_gateway()
    world.tick()
    world.commit("demo")
    there = dict(world.seen.records)
    kept = Kept(world, tmp_path, after=the_gateway_dies)
    assert kept.check() == []
    assert there.keys() <= exported(kept.start()).keys()
    kept.database.close()


def test_a_torn_tail_that_is_sealed_meanwhile_stays_a_torn_tail(world, tmp_path):
    world.commit("acme")
    path = f"journal/{world.writer}/{0:016x}.frames"
    world.disk.process("gateway").open(path).append(b"\xf7IJ\x01 torn")

    def the_gateway_is_sealed():
        world.kill_gateway()
        world.tick()

    kept = Kept(world, tmp_path, before_reading=the_gateway_is_sealed)
    assert kept.check() == []
    assert len(exported(kept.start())) == 1
    kept.database.close()

"""Booking: every record once, in order, counted; damage stops one writer and no other."""

import pytest

from inland.ledger import canonical, merkle
from inland.plant.books import journals
from inland.plant.books.check import check

SEGMENT = "journal/w1/0000000000000000.frames"


def records(world, tenant="acme", kind="request"):
    found = map(canonical.decode, world.books().export(tenant))
    return [record for record in found if record["kind"] == kind]


def checked(world):
    return check(world.disk.process("auditor"), world.database)


def test_batches_of_a_tenant_are_numbered_and_counted_without_gaps(world):
    for count in (1, 3, 2):
        for _ in range(count):
            world.commit("acme")
        world.commit("demo")
        world.tick()
    batches = records(world, kind="tenant-batch")
    assert [(b["number"], b["first"], b["count"]) for b in batches] == [
        (0, 0, 1),
        (1, 1, 3),
        (2, 4, 2),
    ]


def test_a_tenant_batch_holds_the_root_over_its_records(world):
    for _ in range(5):
        world.commit("acme")
    world.tick()
    entries = [canonical.entry(canonical.encode(record)) for record in records(world)]
    (batch,) = records(world, kind="tenant-batch")
    assert batch["root"] == merkle.root(entries).hex()


def test_a_tick_without_news_books_and_signs_nothing(world):
    world.commit("acme")
    world.tick()
    before = world.operations, set(world.seen.notes)
    world.tick()
    assert set(world.seen.notes) == before[1]
    assert world.operations == before[0]


def test_only_billed_requests_count_tokens(world):
    world.commit("acme")
    world.commit("acme", billed=False, outcome="failed")
    world.commit("acme", kind="refusal", count=7, billed=False)
    world.commit("acme", outcome="hung-up", wasted_tokens_estimated=9)
    world.tick()
    (row,) = world.books().usage("acme")
    assert (row.requests, row.unbilled, row.refused) == (2, 1, 7)
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (6, 10, 2)
    assert row.wasted_tokens_estimated == 9
    assert checked(world).good


def test_usage_begins_with_the_hour_of_since(world):
    world.commit("acme", time=1_790_000_000_000_000)
    world.commit("acme", time=1_790_000_000_000_000 + 2 * 3_600_000_000)
    world.tick()
    assert len(world.books().usage("acme")) == 2
    assert len(world.books().usage("acme", 1_790_000_000_000_000 + 3_600_000_000)) == 1
    assert world.books().usage("demo") == []


@pytest.mark.parametrize(
    "facts",
    [
        {"tenant": "../etc"},
        {"tenant": None},
        {"writer": "w2"},
        {"id": "1"},
        {"kind": "change"},
        {"prompt_tokens": "many"},
    ],
)
def test_a_record_that_cannot_be_booked_stops_its_writer_and_no_other(world, facts):
    world.commit("acme", **facts)
    world.tick()
    assert len(world.books().alarms) == 1
    assert not checked(world).good
    world.kill_gateway()
    world.commit("acme")
    world.tick()
    assert len(records(world)) == 1


def test_a_record_id_is_booked_once(world):
    world.commit("acme")
    world.tick()
    (record,) = records(world)
    world.commit("acme", id=record["id"])
    world.tick()
    assert "booked before" in world.books().alarms[0]
    assert len(records(world)) == 1


def test_a_frame_torn_at_the_tail_of_a_live_journal_is_waited_for(world):
    world.commit("acme")
    file = world.disk.process("gateway").open(SEGMENT)
    whole = file.read(0, file.size())
    file.append(whole[: len(whole) // 2])
    world.tick()
    assert not world.books().alarms
    file.append(b"".join([whole[len(whole) // 2 :]]))
    world.tick()
    assert "booked before" in world.books().alarms[0], "the frame came whole: it was read"


def test_a_damaged_frame_is_never_skipped(world):
    for _ in range(3):
        world.commit("acme")
    flip(world, SEGMENT, 300)
    world.tick()
    assert "damaged frame at 0" in world.books().alarms[0]
    assert records(world) == []
    assert not checked(world).good


def test_damage_is_looked_at_again_after_a_restart(world):
    for _ in range(3):
        world.commit("acme")
    flip(world, SEGMENT, 300)
    world.tick()
    flip(world, SEGMENT, 300)
    world._kill("control")
    world.tick()
    assert not world.books().alarms
    assert len(records(world)) == 3
    assert checked(world).good


def test_a_segment_stays_while_a_stream_that_began_in_it_runs(world):
    files = world.disk.process("auditor")
    world.commit("acme", opening="long")
    for _ in range(8):
        world.commit("acme")
    world.tick()
    assert journals.segments(files, "w1")[0].base == 0
    world.commit("acme", closing="long")
    world.tick()
    assert journals.segments(files, "w1")[0].base > 0
    assert len(journals.segments(files, "w1")) == 1


def test_a_dead_writers_journal_goes_once_all_is_booked(world):
    world.commit("acme", opening="cut short")
    world.tick()
    world.kill_gateway()
    world.tick()
    assert journals.writers(world.disk.process("auditor")) == []
    (record,) = records(world)
    assert (record["outcome"], record["billed"]) == ("interrupted", False)
    assert checked(world).good


def flip(world, path, at):
    file = world.disk.process("somebody").open(path)
    data = file.read(0, file.size())
    file.truncate(at)
    file.append(bytes([data[at] ^ 1]) + data[at + 1 :])


def test_what_a_gateway_left_is_said_to_wait_until_it_is_booked(world):
    world.commit("acme")
    books = world.books()
    writers = set(journals.writers(world.disk.process("auditor")))
    assert books.left() == writers, "nobody looked yet, whether it lives or not"
    world.tick()
    assert not world.books().left(), "it lives, and is booked each second"
    world.commit("acme")
    world.kill_gateway()
    world._kill("control")
    assert world.books().left() == writers
    for _ in range(2):
        world.tick()
    assert not world.books().left()

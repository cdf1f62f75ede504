"""The journal's thread: what it acknowledges is durable, a full disk is waited out."""

import asyncio
import threading

import pytest

from inland.adapters.files import journal
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.files.journal import JournalWriter
from inland.domain.ids import WriterId
from inland.ledger import frames
from inland.ledger.frames import FrameKind
from inland.ports.files import DiskFull
from tests.patience import until_here as until

SEGMENT = "journal/w/0000000000000000.frames"


class Disk:
    """A forgetful disk whose syncs can be held up or fail, and whose room can run out."""

    def __init__(self) -> None:
        self.full = self.broken = False
        self.full_at: str | None = None
        self.may_sync, self.syncing = threading.Event(), threading.Event()
        self.may_sync.set()
        self.syncs = 0
        self.disk = ForgetfulDisk(self._watch)
        self.files = self.disk.process("gateway")
        self.files.make_dir("journal")
        self.files.sync_dir("")

    def _watch(self, operation, path):
        if operation in {"append", "make_dir", "create"} and self.full:
            raise DiskFull(path)
        if operation == self.full_at:
            raise DiskFull(path)
        if operation == "sync":
            self.syncing.set()
            self.may_sync.wait()
            self.syncs += 1
            if self.broken:
                raise OSError(5, "Input/output error", path)
        return True

    def durable(self):
        """The payloads that a crash now would leave."""
        self.disk.crash()
        file = self.disk.process("auditor").open(SEGMENT)
        return [frame.payload for frame in frames.read(file.read(0, 1 << 20), 0, 1000)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(journal, "FULL_RETRY_S", 0.001)
    monkeypatch.setattr(journal, "ROOM_PERIOD_S", 0.001)


def writer(disk, fatal=None):
    def on_fatal(why):
        assert fatal is not None, why
        fatal.append(why)

    return JournalWriter(disk.files, WriterId("w"), asyncio.get_running_loop(), on_fatal)


async def appended(made, payload):
    done = asyncio.Event()
    made.append(FrameKind.RECORD, payload, done.set)
    await done.wait()


def test_what_was_acknowledged_survives_a_crash():
    async def play():
        made = writer(disk)
        await asyncio.gather(*(appended(made, b"%d" % n) for n in range(20)))
        return made

    disk = Disk()
    asyncio.run(play())
    assert sorted(disk.durable(), key=int) == [b"%d" % n for n in range(20)]


def test_nothing_is_acknowledged_before_its_sync_returns():
    async def play():
        made = writer(disk)
        disk.may_sync.clear()
        waiting = asyncio.create_task(appended(made, b"x"))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        disk.may_sync.set()
        await waiting
        made.stop()

    disk = Disk()
    asyncio.run(play())


def test_what_waits_while_a_sync_runs_is_one_commit():
    async def play():
        made = writer(disk)
        disk.may_sync.clear()
        disk.syncing.clear()
        first = asyncio.create_task(appended(made, b"first"))
        await until(disk.syncing.is_set)
        rest = [asyncio.create_task(appended(made, b"x")) for _ in range(50)]
        await asyncio.sleep(0)  # each appends as it begins
        disk.may_sync.set()
        await asyncio.gather(first, *rest)
        made.stop()

    disk = Disk()
    asyncio.run(play())
    assert disk.syncs == 2


def test_what_turns_append_one_after_the_other_is_one_commit(monkeypatch):
    async def play():
        made = writer(disk)
        waiting = []
        for _ in range(5):
            waiting.append(asyncio.create_task(appended(made, b"x")))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        made.stop()

    monkeypatch.setattr(journal, "GATHER_S", 600.0)
    disk = Disk()
    asyncio.run(play())
    assert disk.syncs == 1


def test_a_loop_that_always_brings_more_keeps_nobody_waiting():
    async def bring(made):
        while True:
            made.append(FrameKind.RECORD, b"more", lambda: None)
            await asyncio.sleep(0)

    async def play():
        made = writer(disk)
        bringing = asyncio.create_task(bring(made))
        first = asyncio.create_task(appended(made, b"first"))
        await until(first.done)
        bringing.cancel()
        await asyncio.to_thread(made.stop)

    disk = Disk()
    asyncio.run(play())
    assert b"first" in disk.durable()


def test_stopping_commits_what_waits():
    async def play():
        made = writer(disk)
        for n in range(30):
            made.append(FrameKind.RECORD, b"%d" % n, lambda: None)
        await asyncio.to_thread(made.stop)

    disk = Disk()
    asyncio.run(play())
    assert len(disk.durable()) == 30


def test_a_full_disk_stops_new_work_and_loses_nothing_that_waits():
    async def play():
        made = writer(disk)
        disk.full = True
        waiting = asyncio.create_task(appended(made, b"x"))
        await until(lambda: not made.healthy())
        assert not waiting.done()
        disk.full = False
        await waiting
        await until(made.healthy)
        made.stop()

    disk = Disk()
    asyncio.run(play())
    assert disk.durable() == [b"x"]


def test_a_failed_sync_is_the_end_and_acknowledges_nothing():
    async def play():
        made = writer(disk, fatal)
        disk.broken = True
        waiting = asyncio.create_task(appended(made, b"x"))
        await until(lambda: bool(fatal))
        assert not waiting.done()
        waiting.cancel()

    disk = Disk()
    fatal: list[str] = []
    asyncio.run(play())
    assert "Input/output error" in fatal[0]


def test_a_disk_without_reserve_takes_no_new_work_from_the_start():
    async def play():
        reserve = disk.files.free_bytes() + 1
        loop = asyncio.get_running_loop()
        made = JournalWriter(disk.files, WriterId("w"), loop, print, reserve_bytes=reserve)
        assert not made.healthy()
        await appended(made, b"what is in flight may use it")
        made.stop()

    disk = Disk()
    asyncio.run(play())


def test_a_writer_that_starts_on_a_full_disk_begins_once_there_is_room():
    async def play():
        disk.full = True
        made = writer(disk)
        assert not made.healthy()
        assert "no room" in made.trouble
        waiting = asyncio.create_task(appended(made, b"x"))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        disk.full = False
        await waiting
        await until(made.healthy)
        made.stop()

    disk = Disk()
    asyncio.run(play())
    assert disk.durable() == [b"x"]


def test_a_writer_that_finds_room_for_a_part_of_its_folder_leaves_nothing_of_it():
    async def play():
        disk.full_at = "create"
        made = writer(disk)
        await until(lambda: not disk.files.list("journal"))  # but while it is tried again
        disk.full_at = None
        await appended(made, b"x")
        made.stop()

    disk = Disk()
    asyncio.run(play())
    assert disk.durable() == [b"x"]


def test_a_writer_that_never_had_room_stops_too():
    async def play():
        disk.full = True
        writer(disk).stop()

    disk = Disk()
    asyncio.run(play())
    assert disk.files.list("journal") == []

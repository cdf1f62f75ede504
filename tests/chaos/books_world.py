"""A whole factory's books in one process over a disk that forgets: what happened, and the laws.

A `World` plays a script of steps by a gateway and by control. A fault strikes at one operation on
the disk: the machine stops (unsynced bytes are lost), or only the process at work is killed.
Afterwards everything starts again and the laws must hold.
"""

import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sqlalchemy.engine import URL

from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.files.journal import Segments
from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.ids import WriterId, uuid7
from inland.ledger import canonical, merkle, notes, receipts
from inland.ledger.frames import FrameKind
from inland.ledger.records import Record, new_record
from inland.ledger.rotation import SCHEDULED, successor
from inland.plant.books import keys
from inland.plant.books.books import Books
from inland.plant.books.check import check
from inland.plant.books.check_log import check_logs
from inland.plant.books.durable import read_file, swap_file
from inland.plant.books.findings import Report

#: Small, so that a short script crosses from one segment to the next.
SEGMENT_BYTES = 2500
SYNCS = frozenset({"sync", "sync_dir"})


class Fault(BaseException):
    """The machine or the process stops here. No code under test may catch it."""


@dataclass(frozen=True)
class Plan:
    """Where faults strike; operations on the disk are counted from 0.

    `kill`: the process at work ends. `stop`: the machine does; without it, when the script is over.
    `seed`: unsynced bytes survive in part; else they are lost. `deaf`: a sync that is not done.
    """

    kill: int | None = None
    stop: int | None = None
    seed: int | None = None
    deaf: str | None = None


class FakeClock:
    def __init__(self) -> None:
        self.now_us = 1_790_000_000_000_000

    def unix_us(self) -> int:
        self.now_us += 1000
        return self.now_us

    def monotonic(self) -> float:
        return self.now_us / 1e6

    def sleep(self, seconds: float) -> None:
        self.now_us += int(seconds * 1e6)


def template(folder: Path) -> Path:
    """An empty database with its schema, to be copied."""
    file = folder / "template.db"
    Database(sqlite_url(file), synchronous="OFF").close()
    return file


def sync_site() -> str:
    """Which of our own lines asks for this sync: its caller's too where `durable.py` does it."""
    frame = sys._getframe(1)
    site: list[str] = []
    while frame.f_back is not None:
        frame = frame.f_back
        name = frame.f_code.co_filename
        if name.endswith("forgetful.py") or "/inland/" not in name:
            continue
        site.append(f"{name.rpartition('/')[2]}:{frame.f_lineno}")
        if not name.endswith("durable.py"):
            break
    return " < ".join(site)


@dataclass
class Seen:
    """What was acknowledged, and what an outsider kept."""

    records: dict[str, bytes] = field(default_factory=dict)
    openings: set[str] = field(default_factory=set)
    changes: list[str] = field(default_factory=list)
    rotations: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)  # note → the key it was served with


class World:
    def __init__(self, plan: Plan, database: Path, url: URL | None = None) -> None:
        """`url`: another database than the SQLite file `database`."""
        self.plan = plan
        #: Where our code syncs, and at which operation it first did.
        self.sites: dict[str, int] = {}
        self.operations = 0
        self.seen = Seen()
        self._random = Random(7)
        self._clock = FakeClock()
        self._actor = "control"
        self._ended = False
        #: Operations by which a gateway makes a name durable: just before them, others may see it.
        self.names: list[int] = []
        self.disk = ForgetfulDisk(self._watch)
        self._file = database
        self.database = Database(url or sqlite_url(database), synchronous="OFF")
        self._books: Books | None = None
        self._gateway: Segments | None = None
        self._writers = 0
        #: The operation before which an old copy of the database was put back.
        self.restored_at = 0

    def close(self) -> None:
        self.database.close()

    def _entropy(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def _watch(self, operation: str, _path: str) -> bool:
        at, self.operations = self.operations, self.operations + 1
        plan = self.plan
        if operation == "sync_dir" and self._actor == "gateway":
            self.names.append(at)
        if at in (plan.kill, plan.stop) and not self._ended:
            self._ended = at == plan.stop
            raise Fault
        if operation not in SYNCS:
            return True
        site = sync_site()
        self.sites.setdefault(site, at)
        return site != self.plan.deaf

    # what happens

    def play(self, script: list[Callable[["World"], None]]) -> None:
        """The script with its faults; then the machine stops."""
        self._ended = self.plan.stop is not None and self.plan.stop < self.operations
        try:
            for step in script:
                self._step(step)
        except Fault:
            pass  # the machine
        self.script_operations, self._ended = self.operations, True
        self.crash()

    def start_again(self) -> None:
        """Everything starts, takes up what it finds, and works once more."""
        for step in (request("acme"), tick, tick):
            step(self)

    def _step(self, step: Callable[["World"], None]) -> None:
        try:
            step(self)
        except Fault:
            if self._ended:
                raise
            self._kill(self._actor)

    def crash(self) -> None:
        """The machine stops; what was not synced is lost, or part of it."""
        self.disk.crash(None if self.plan.seed is None else Random(self.plan.seed))
        self._books = self._gateway = None

    def restore(self, *, head_too: bool) -> None:
        """Somebody puts an older copy of the database back, or of `keys/` as well."""
        if head_too:
            swap_file(self.disk.process("somebody"), "keys/head", self._old_head)
        self.database.close()
        shutil.copy(self._file.with_suffix(".backup"), self._file)
        for rest in ("-wal", "-shm"):
            self._file.with_name(self._file.name + rest).unlink(missing_ok=True)
        self.database = Database(sqlite_url(self._file), synchronous="OFF")

    def back_up(self) -> None:
        """A consistent copy of the database, as a person would make one."""
        self._old_head = read_file(self.disk.process("somebody"), "keys/head")
        target = self._file.with_suffix(".backup")
        with sqlite3.connect(self._file) as source, sqlite3.connect(target) as copy:
            source.backup(copy)
        source.close()
        copy.close()

    def _kill(self, process: str) -> None:
        self.disk.kill(process)
        if process == "control":
            self._books = None
        else:
            self._gateway = None

    def kill_gateway(self) -> None:
        self._kill("gateway")

    def books(self) -> Books:
        self._actor = "control"
        if self._books is None:
            files = self.disk.process("control")
            books = Books(files, self.database, self._clock, self._entropy, "test")
            books.open()
            self._books = books
        return self._books

    def commit(
        self,
        tenant: str,
        /,
        *,
        opening: str | None = None,
        closing: str | None = None,
        **facts: object,
    ) -> None:
        """One commit of the gateway: a record, an opening, or the record that closes one.

        `facts` replace what the record would say.
        """
        if self._gateway is None:
            self.books()  # no gateway serves before control told it what to serve
        self._actor = "gateway"
        if self._gateway is None:
            self._writers += 1
            self.writer = f"w{self._writers}"
            files = self.disk.process("gateway")
            self._streams: dict[str, str] = {}
            self._gateway = Segments(files, WriterId(self.writer), SEGMENT_BYTES)
        if closing is not None and closing not in self._openings:
            return  # the gateway that opened it died
        record = self._record(tenant, opening or closing, **facts)
        kind = FrameKind.OPENING if opening else FrameKind.RECORD
        self._gateway.commit([(kind, canonical.encode(record))])
        if opening:
            self._openings[opening] = record["id"]
            self.seen.openings.add(record["id"])
        else:
            self.seen.records[record["id"]] = canonical.encode(record)

    @property
    def _openings(self) -> dict[str, str]:
        return self._streams

    def _record(self, tenant: str, stream: str | None, /, **facts: object) -> Record:
        now = self._clock.unix_us()
        fresh = uuid7(now // 1000, self._entropy(10))
        return (
            new_record(
                "request",
                salt=self._entropy(16),
                unix_us=now,
                id=self._openings.get(stream, fresh) if stream else fresh,
                tenant=tenant,
                key="k",
                deployment="d",
                model="m",
                writer=self.writer,
                input="00" * 32,
                output=["11" * 32],
                outcome="complete",
                billed=True,
                prompt_tokens=3,
                completion_tokens=5,
                cached_tokens=1,
                wasted_tokens_estimated=0,
            )
            | facts
        )

    def change(self) -> None:
        """A control-plane change, as `plant` makes one."""
        self.books()
        now = self._clock.unix_us()
        record = new_record(
            "change",
            salt=self._entropy(16),
            unix_us=now,
            id=uuid7(now // 1000, self._entropy(10)),
            what="tenant.add",
            who="operator",
            subject="acme",
            details={},
        )
        with self.database.write() as transaction:
            transaction.books.append(record)
        self.seen.changes.append(record["id"])

    def rotate(self) -> None:
        """The log's key is rotated, as a person asks for it."""
        self.seen.rotations.append(self.books().rotate_log_key("operator", SCHEDULED))
        self.look()

    def tick(self) -> None:
        books = self.books()
        books.tick()
        self.look()

    def look(self) -> None:
        """An outsider fetches the published checkpoint and keeps it."""
        with self.database.read() as transaction:
            log = transaction.books.current_log()
        if log is not None and log.checkpoint is not None:
            key = notes.vkey(log.origin, log.public_key)
            self.seen.notes[log.checkpoint.note] = key

    # the laws

    def demand_kept(self) -> None:
        """All that was acknowledged is there exactly once and can be proved with the one key."""
        books = self.books()
        assert not books.alarms, books.alarms
        exported: dict[str, list[bytes]] = {}
        for tenant in ("acme", "demo"):
            for data in books.export(tenant):
                record = canonical.decode(data)
                if record["kind"] == "request":
                    exported.setdefault(record["id"], []).append(data)
        for record_id, data in self.seen.records.items():
            assert exported.get(record_id) == [data], f"record {record_id}"
        for record_id in self.seen.openings | set(exported):
            assert len(exported.get(record_id, ())) == 1, f"stream {record_id}"
        for record_id in [*exported, *self.seen.changes]:
            data_ = books.receipt(f"chatcmpl-{record_id}")
            assert data_ is not None, f"no receipt of {record_id}"
            receipts.verify(data_, self._vkey_of(data_))
        report = check(self.disk.process("auditor"), self.database)
        assert report.good, report.findings
        self.demand_one_chain()
        self.demand_one_history()

    def _vkey_of(self, receipt: bytes) -> str:
        """The public key of the log that a receipt ends in."""
        origin = canonical.decode(receipt)["checkpoint"].partition("\n")[0]
        with self.database.read() as transaction:
            (log,) = [log for log in transaction.books.logs() if log.origin == origin]
        return notes.vkey(log.origin, log.public_key)

    def demand_one_chain(self) -> None:
        """From the first public key on, each log's last entry leads to the next; one key is left.

        Every rotation happened or it did not, and none that was acknowledged did not.
        """
        books = self.books()
        with self.database.read() as transaction:
            sizes = [
                (log, transaction.books.log_size(log.number)) for log in transaction.books.logs()
            ]
            # one that lost its key before it signed anything has given its entries away
            logs = [log for log, size in sizes if size]
            ends = [
                transaction.books.log_records(log.number, size - 1, size)[0].record
                for log, size in sizes[:-1]
                if size
            ]
        vkeys = [notes.vkey(log.origin, log.public_key) for log in logs]
        assert set(self.seen.notes.values()) <= set(vkeys), "a key of no log signed"
        at = vkeys[0]
        for end, following in zip(ends, vkeys[1:], strict=True):
            data = books.receipt(canonical.decode(end)["id"])
            assert data is not None
            verified = receipts.verify(data, at)
            named = successor(verified)
            assert named is not None, f"{at} leads nowhere"
            assert named.vkey == following, "another key than was named"
            at = named.vkey
        assert at == books.vkey, "the chain ends elsewhere"
        done = {canonical.decode(end)["id"] for end in ends}
        assert done >= set(self.seen.rotations), "a rotation that was acknowledged is undone"
        files = self.disk.process("auditor")
        assert keys.public_bytes(keys.kept_key(files)) == logs[-1].public_key
        assert keys.next_public(files) is None, "two keys"

    def demand_tiles(self) -> None:
        """Every log's checkpoint and tiles are published and agree with its entries."""
        report = Report()
        with self.database.read() as transaction:
            check_logs(report, self.disk.process("auditor"), transaction.books)
        assert report.good, report.findings

    def demand_one_history(self) -> None:
        """Whoever kept two checkpoints of one origin can prove one from the other."""
        self.look()
        trees: dict[str, merkle.Tree] = {}
        with self.database.read() as transaction:
            for log in transaction.books.logs():
                size = transaction.books.log_size(log.number)
                tree = merkle.Tree(transaction.books.entries(log.number, 0, size))
                trees[notes.vkey(log.origin, log.public_key)] = tree
        latest: dict[tuple[str, int], bytes] = {}
        for note, vkey in self.seen.notes.items():
            kept = notes.open_note(note, vkey)
            assert latest.setdefault((vkey, kept.size), kept.root) == kept.root, "two heads"
            now = trees.get(vkey)
            if now is not None and kept.size <= now.size:
                assert merkle.range_root(0, kept.size, now.node) == kept.root, "a fork"


def tick(world: World) -> None:
    world.tick()


def change(world: World) -> None:
    world.change()


def rotate(world: World) -> None:
    world.rotate()


def back_up(world: World) -> None:
    world.back_up()


def kill_gateway(world: World) -> None:
    world.kill_gateway()


def request(tenant: str) -> Callable[[World], None]:
    return lambda world: world.commit(tenant)


def opening(tenant: str, stream: str) -> Callable[[World], None]:
    return lambda world: world.commit(tenant, opening=stream)


def closing(tenant: str, stream: str) -> Callable[[World], None]:
    return lambda world: world.commit(tenant, closing=stream)

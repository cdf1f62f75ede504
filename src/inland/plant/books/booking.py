"""Booking: what journals have synced becomes records of tenants, batches, log entries and usage.

Records are copied and synced first; everything else of a batch is one transaction. A crash between
the two leaves bytes beyond what a volume has booked, and the next booking cuts them off.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from inland.domain.errors import Damaged
from inland.ledger import canonical, merkle
from inland.ledger.frames import Frame, FrameKind
from inland.ledger.records import BATCH, SALT_BYTES, TENANT_BATCH, Record, new_record
from inland.plant.books import journals
from inland.plant.books.durable import Folders
from inland.plant.books.journals import Openings
from inland.plant.books.sealing import seal
from inland.plant.books.shelves import volume_path
from inland.plant.books.tally import Part, Tally
from inland.ports.books import Position, TenantBatch, Volume
from inland.ports.clock import Clock, Entropy
from inland.ports.files import DiskFull, Files, Lock
from inland.ports.store import Store

#: Batches made of one writer before the others have their turn.
BATCHES_IN_A_ROW = 4
#: Ticks that a folder being made aside is left to its maker, who needs milliseconds.
ASIDE_TICKS = 60


@dataclass(slots=True)
class Journal:
    """What booking remembers of one writer. `lock` is held once the writer is dead and sealed."""

    position: Position
    volumes: dict[str, Volume]
    openings: Openings
    lock: Lock | None = None


@dataclass(slots=True)
class _Batch:
    """A batch being made: what goes into the one transaction."""

    record: Record
    volumes: list[Volume] = field(default_factory=list)
    tenant_batches: list[TenantBatch] = field(default_factory=list)
    ids: list[list[bytes]] = field(default_factory=list)


class Booker:
    """Books every journal under the home, once the site log is open. One of it, in one thread."""

    def __init__(self, files: Files, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._files = files
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._folders = Folders(files, "records")
        self._journals: dict[str, Journal] = {}
        self._aside: dict[str, int] = {}
        self.alarms: dict[str, str] = {}

    def open(self) -> None:
        """Raise an alarm for each journal that is not there, though the database says it is not
        done with: that is an older copy put back, or a folder lost. Nothing else would say so."""
        with self._store.read() as transaction:
            positions = transaction.books.positions()
        there = set(journals.writers(self._files))
        for writer, position in positions.items():
            if not position.gone and writer not in there:
                self.alarms[writer] = str(Damaged(f"journal/{writer}", journals.MISSING))

    def book(self) -> None:
        """Take what every journal has synced since its booked position, up to named limits.

        Damage stops the writer it is in, raises an alarm, and stops no other.
        """
        for writer in journals.writers(self._files):
            try:
                self._book_writer(writer)
            except Damaged as damage:
                self._stop(writer, damage)
            except (OSError, DiskFull) as error:
                self.alarms[writer] = f"journal/{writer}: {error}"

    def _book_writer(self, writer: str) -> None:
        journal = self._journals.get(writer)
        if journal is None:
            journal = self._journals[writer] = self._meet(writer)
        if journal.position.damage is not None or journal.position.gone:
            return
        if journal.lock is None:
            journal.lock = self._seal_dead(journal)
        for _ in range(BATCHES_IN_A_ROW):
            found = journals.read(self._files, writer, journal.position.booked, sync=True)
            if not found:
                break
            self._book_frames(journal, found)
        self.alarms.pop(writer, None)

    def _seal_dead(self, journal: Journal) -> Lock | None:
        """The writer's lock, its journal sealed, when nobody living holds it."""
        writer = journal.position.writer
        lock = self._files.lock(f"journal/{writer}/lock")
        if lock is not None:
            try:
                seal(self._files, writer, journal.position.booked, self._entropy)
            except BaseException:
                lock.release()
                raise
        return lock

    def _meet(self, writer: str) -> Journal:
        """Damage found in an earlier life is looked at again: its cause may have been mended."""
        with self._store.read() as transaction:
            position = transaction.books.positions().get(writer, Position(writer))
            volumes = {v.tenant: v for v in transaction.books.volumes(writer)}
        journal = Journal(replace(position, damage=None), volumes, Openings())
        if not position.gone:
            try:
                journal.openings, _ = journals.replay(self._files, writer, position.booked)
            except Damaged as damage:
                self._journals[writer] = journal
                raise damage from None
        return journal

    def _stop(self, writer: str, damage: Damaged) -> None:
        journal = self._journals[writer]
        journal.position = replace(journal.position, damage=str(damage))
        self.alarms[writer] = str(damage)
        with self._store.write() as transaction:
            transaction.books.put_position(journal.position)

    def _book_frames(self, journal: Journal, found: list[Frame]) -> None:
        with self._store.read() as transaction:
            prices = transaction.billing.prices()
        tally = Tally(journal.position.writer, prices)
        for frame in found:
            if frame.kind == FrameKind.RECORD:
                head = tally.add(frame.payload)
                journal.openings.open.pop(head.id, None)
            else:
                journal.openings.see(frame)
        position = replace(journal.position, booked=found[-1].end)
        if not tally.parts:
            with self._store.write() as transaction:
                transaction.books.put_position(position)
            journal.position = position
            return
        position = replace(position, batches=position.batches + 1)
        batch = self._make(journal, tally)
        self._enter(position, batch, tally)
        journal.position = position
        journal.volumes.update({volume.tenant: volume for volume in batch.volumes})

    def _make(self, journal: Journal, tally: Tally) -> _Batch:
        """Copy the records, and describe them: per tenant a tree, over these the batch's tree."""
        writer, number = journal.position.writer, journal.position.batches
        batch = _Batch({})
        entries = []
        for place, (tenant, part) in enumerate(sorted(tally.parts.items())):
            volume = journal.volumes.get(tenant, Volume(tenant, writer))
            length = self._copy(volume, part)
            record = self._describe(volume, part)
            entries.append(canonical.entry(record))
            count = len(part.records)
            batch.tenant_batches.append(
                TenantBatch(
                    id=0,
                    tenant=tenant,
                    writer=writer,
                    number=volume.batches,
                    batch=number,
                    position=place,
                    count=count,
                    offset=volume.bytes,
                    length=length,
                    record=record,
                )
            )
            batch.ids.append(part.ids)
            batch.volumes.append(
                replace(
                    volume,
                    bytes=volume.bytes + length,
                    records=volume.records + count,
                    batches=volume.batches + 1,
                )
            )
        root = merkle.root(entries).hex()
        batch.record = self._new(BATCH, writer=writer, number=number, count=len(entries), root=root)
        return batch

    def _describe(self, volume: Volume, part: Part) -> bytes:
        record = self._new(
            TENANT_BATCH,
            writer=volume.writer,
            tenant=volume.tenant,
            number=volume.batches,
            first=volume.records,
            count=len(part.records),
            root=merkle.root(part.entries()).hex(),
        )
        return canonical.encode(record)

    def _new(self, kind: str, **fields: object) -> Record:
        return new_record(
            kind, salt=self._entropy(SALT_BYTES), unix_us=self._clock.unix_us(), **fields
        )

    def _copy(self, volume: Volume, part: Part) -> int:
        """Add the records to the tenant's volume, durably; how many bytes. Raises Damaged."""
        folder = f"records/{volume.tenant}"
        path = volume_path(volume.tenant, volume.writer)
        self._folders.ensure(folder)
        data = b"\n".join(part.records) + b"\n"
        file = self._files.open(path, create=True)
        try:
            size = file.size()
            if size < volume.bytes:
                raise Damaged(path, f"{size} bytes, of {volume.bytes} that were booked")
            if size > volume.bytes:
                file.truncate(volume.bytes)
            file.commit(data)
        finally:
            file.close()
        if not volume.bytes:
            self._files.sync_dir(folder)
        return len(data)

    def _enter(self, position: Position, batch: _Batch, tally: Tally) -> None:
        with self._store.write() as transaction:
            books = transaction.books
            first = books.next_tenant_batch()
            numbered = [replace(b, id=first + n) for n, b in enumerate(batch.tenant_batches)]
            books.put_tenant_batches(numbered)
            for tenant_batch, ids in zip(numbered, batch.ids, strict=True):
                books.put_ids(tenant_batch.id, ids)
            books.put_volumes(batch.volumes)
            books.add_usage(tally.usage())
            transaction.billing.add_spending(tally.spending())
            books.put_position(position)
            books.append(batch.record)

    def unsettled(self) -> frozenset[str]:
        """Writers that live, or left something that is not booked yet; any thread may ask.

        Of a writer that is not among them, the database has all there will ever be.
        """
        found = set()
        for writer in journals.writers(self._files):
            journal = self._journals.get(writer)
            try:
                settled = journal is not None and self._is_spent(journal)
            except (Damaged, OSError):
                settled = False
            if not settled:
                found.add(writer)
        return frozenset(found)

    def left(self) -> frozenset[str]:
        """Of the unsettled those that live no more, or were not looked at yet: what they left waits
        to be booked. One that lives is booked each second."""
        known = self._journals
        return frozenset(
            writer
            for writer in self.unsettled()
            if (journal := known.get(writer)) is None or journal.lock is not None
        )

    def remove_booked(self) -> None:
        """Remove what is booked under a stored checkpoint: the caller says that all booked is.

        A segment stays while an opening in it has no record; a dead writer's folder goes whole.
        """
        for writer, journal in list(self._journals.items()):
            if journal.position.damage is None:
                for path in self._spent(journal):
                    self._files.remove(path)
                if journal.position.gone or self._is_spent(journal):
                    self._remove_folder(writer, journal)
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        """Remove folders whose makers died before anything could be in them."""
        self._aside = {name: self._aside.get(name, 0) + 1 for name in journals.aside(self._files)}
        for name in [name for name, ticks in self._aside.items() if ticks > ASIDE_TICKS]:
            with suppress(FileNotFoundError):
                lock = self._files.lock(f"journal/{name}/lock")
                if lock is not None:
                    self._empty(f"journal/{name}")
                    lock.release()

    def _empty(self, folder: str) -> None:
        for name in self._files.list(folder):
            self._files.remove(f"{folder}/{name}")
        self._files.remove_dir(folder)

    def _spent(self, journal: Journal) -> Iterator[str]:
        first = journal.openings.first()
        until = journal.position.booked if first is None else min(first, journal.position.booked)
        held = journals.segments(self._files, journal.position.writer)
        return (segment.path for segment in journals.removable(held, until))

    def _is_spent(self, journal: Journal) -> bool:
        position = journal.position
        return journal.lock is not None and (
            position.booked == journals.end(self._files, position.writer)
        )

    def _remove_folder(self, writer: str, journal: Journal) -> None:
        """Said in the database first: what is then missing is missing on purpose."""
        if not journal.position.gone:
            journal.position = replace(journal.position, gone=True)
            with self._store.write() as transaction:
                transaction.books.put_position(journal.position)
        self._empty(f"journal/{writer}")
        if journal.lock is not None:
            journal.lock.release()
        del self._journals[writer]

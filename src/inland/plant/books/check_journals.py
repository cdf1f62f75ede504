"""The part of the check that walks journals: frames are whole, what is booked is as written."""

from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.frames import Frame, FrameKind
from inland.ledger.records import Entry
from inland.plant.books import journals
from inland.plant.books.findings import Report
from inland.plant.books.shelves import batch_records
from inland.plant.books.tally import id_bytes
from inland.ports.books import BookTables, Position
from inland.ports.files import Files


def check_journals(report: Report, files: Files, books: BookTables) -> None:
    """Every journal that is still there, from its first byte; torn tails are not wrong."""
    positions = books.positions()
    for writer in journals.writers(files):
        position = positions.get(writer, Position(writer))
        if not position.gone:
            try:
                _Walk(report, files, books, position).run()
            except Damaged as damage:
                report.find(f"journal/{writer}", str(damage))
            except FileNotFoundError:
                continue  # a live factory removed it meanwhile: all of it is booked


class _Walk:
    """One journal, frame by frame."""

    def __init__(self, report: Report, files: Files, books: BookTables, position: Position) -> None:
        self._report = report
        self._files = files
        self._books = books
        self._position = position
        #: Per tenant the batch read last, as entries: booking keeps the order of the journal.
        self._batches: dict[str, tuple[int, list[Entry]]] = {}

    def run(self) -> None:
        writer, booked = self._position.writer, self._position.booked
        held = journals.segments(self._files, writer)
        at = held[0].base if held else 0
        boundary = at >= booked
        while held:
            found = journals.read(self._files, writer, at, sync=False)
            if not found:
                break
            at = found[-1].end
            self._report.journal_frames += len(found)
            boundary = boundary or any(frame.end == booked for frame in found)
            records = [frame for frame in found if frame.kind == FrameKind.RECORD]
            self._booked([frame for frame in records if frame.end <= booked])
            self._unbooked([frame for frame in records if frame.end > booked])
        where = f"journal/{writer}"
        self._report.demand(at >= booked, where, f"whole up to {at} only, booked up to {booked}")
        self._report.demand(boundary or at < booked, where, f"no frame ends at {booked}")

    def _booked(self, frames: list[Frame]) -> None:
        for frame in frames:
            record_id = journals.record_id(frame)
            place = self._books.place(id_bytes(record_id))
            where = f"record {record_id}"
            if place is None:
                self._report.find(where, "in the journal before its booked position, not booked")
                continue
            batch = place.batch
            if self._batches.get(batch.tenant, (0, []))[0] != batch.id:
                entries = [canonical.entry(each) for each in batch_records(self._files, batch)]
                self._batches[batch.tenant] = (batch.id, entries)
            same = self._batches[batch.tenant][1][place.index] == canonical.entry(frame.payload)
            self._report.demand(same, where, "booked with other bytes than the journal's")

    def _unbooked(self, frames: list[Frame]) -> None:
        self._report.unbooked += len(frames)
        ids = [id_bytes(journals.record_id(frame)) for frame in frames]
        for key in self._books.indexed(ids):
            self._report.find(f"record {key.hex()}", "booked, and waiting to be booked again")

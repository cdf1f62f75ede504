"""The part of the check that walks journals: frames are whole, what is booked is as written."""

from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.frames import Frame, FrameKind
from inland.ledger.tombstones import entry_of, is_tombstone
from inland.plant.books import journals
from inland.plant.books.findings import Report
from inland.plant.books.shelves import batch_lines
from inland.plant.books.tally import id_bytes
from inland.ports.books import BookTables, Position
from inland.ports.files import Files

#: How often a journal is walked again because some of it was removed under way.
TRIES = 5


def check_journals(files: Files, books: BookTables) -> dict[str, Report]:
    """Every journal that is still there, from its first byte; torn tails are not wrong.

    A live factory may remove what it booked meanwhile: findings of a journal that is gone by then
    say nothing.
    """
    positions = books.positions()
    walked = {}
    for writer in journals.writers(files):
        position = positions.get(writer, Position(writer))
        if not position.gone:
            walked[writer] = _walk(files, books, position)
    return walked


def _walk(files: Files, books: BookTables, position: Position) -> Report:
    """One journal; begun again when its first segment was removed under way."""
    report = Report()
    for _ in range(TRIES):
        before, report = _first(files, position.writer), Report()
        try:
            _Walk(report, files, books, position).run()
        except (Damaged, FileNotFoundError) as error:
            report.find(f"journal/{position.writer}", str(error))
        if report.good or _first(files, position.writer) == before:
            break
    return report


def _first(files: Files, writer: str) -> str:
    """The writer's first segment, by name."""
    return min(files.list(f"journal/{writer}"), default="")


class _Walk:
    """One journal, frame by frame."""

    def __init__(self, report: Report, files: Files, books: BookTables, position: Position) -> None:
        self._report = report
        self._files = files
        self._books = books
        self._position = position

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
        """Looked up many at a time; each tenant batch they lie in is read once."""
        places = self._books.indexed([_key(frame) for frame in frames])
        by_batch: dict[int, list[tuple[int, Frame]]] = {}
        for frame in frames:
            place = places.get(_key(frame))
            if place is None:
                where = f"record {journals.record_id(frame)}"
                self._report.find(where, "in the journal before its booked position, not booked")
            else:
                batch, index = place
                by_batch.setdefault(batch, []).append((index, frame))
        for batch, found in by_batch.items():
            records = self._records(batch)
            for index, frame in found:
                same = index < len(records) and _is_of(records[index], frame.payload)
                where = f"record {journals.record_id(frame)}"
                self._report.demand(same, where, "booked with other bytes than the journal's")

    def _records(self, number: int) -> list[bytes]:
        """Those of a tenant batch; none where the id index names one that is not there."""
        found = self._books.tenant_batches(number - 1, 1, None)
        return batch_lines(self._files, found[0]) if found and found[0].id == number else []

    def _unbooked(self, frames: list[Frame]) -> None:
        self._report.unbooked += len(frames)
        for key in self._books.indexed([_key(frame) for frame in frames]):
            self._report.find(f"record {key.hex()}", "booked, and waiting to be booked again")


def _is_of(line: bytes, record: bytes) -> bool:
    """Whether that is the record in a line, there or destroyed."""
    return line == record or (is_tombstone(line) and entry_of(line) == canonical.entry(record))


def _key(frame: Frame) -> bytes:
    """How a frame's record is found in the id index."""
    return id_bytes(journals.record_id(frame))

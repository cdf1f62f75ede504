"""Records as they were booked: found by reference, read back, exported in order."""

from collections.abc import Iterator

from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.records import Record
from inland.ledger.tombstones import is_tombstone, tombstone_of
from inland.plant.books.tally import id_bytes
from inland.ports.books import TenantBatch
from inland.ports.files import Files
from inland.ports.store import Store

#: What stands before a record's id in an answer's `id`.
ANSWER_PREFIX = "chatcmpl-"
#: Tenant batches looked up at a time by an export.
_PAGE = 200


def parse_ref(ref: str) -> str | None:
    """The record id in a reference, the id of an answer or of a record; None if it is neither."""
    text = ref.removeprefix(ANSWER_PREFIX)
    try:
        hexadecimal = id_bytes(text).hex()
    except Damaged:
        return None
    parts = (hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20])
    return text if text == "-".join((*parts, hexadecimal[20:])) else None


def volume_path(tenant: str, writer: str) -> str:
    """Where a tenant's records of one writer lie."""
    return f"records/{tenant}/{writer}.jsonl"


def batch_records(files: Files, batch: TenantBatch) -> list[bytes]:
    """The canonical bytes of a tenant batch's records that are there, in order. Raises Damaged."""
    return [line for line in batch_lines(files, batch) if not is_tombstone(line)]


def batch_lines(files: Files, batch: TenantBatch) -> list[bytes]:
    """A tenant batch's records, in order: their canonical bytes, or what stands in the place of one
    that was destroyed. Raises Damaged."""
    path = volume_path(batch.tenant, batch.writer)
    try:
        file = files.open(path)
    except FileNotFoundError:
        raise Damaged(path, "missing") from None
    try:
        lines = file.read(batch.offset, batch.length).split(b"\n")
    finally:
        file.close()
    if len(lines) != batch.count + 1 or lines[-1]:
        raise Damaged(path, f"does not hold {batch.count} records from {batch.offset}")
    return lines[:-1]


class Shelves:
    """Reads what was booked. Any number of threads may."""

    def __init__(self, files: Files, store: Store) -> None:
        self._files = files
        self._store = store

    def locate(self, ref: str) -> tuple[str | None, Record] | None:
        """The record of a reference and its tenant (None: a change of the plant); None if unknown.
        Of one that was destroyed, what its tombstone says.

        Raises Damaged.
        """
        record_id = parse_ref(ref)
        if record_id is None:
            return None
        with self._store.read() as transaction:
            place = transaction.books.place(id_bytes(record_id))
            change = None if place else transaction.books.log_record(record_id)
        if place is not None:
            line = batch_lines(self._files, place.batch)[place.index]
            if is_tombstone(line):
                return place.batch.tenant, tombstone_of(line).said()
            return place.batch.tenant, canonical.decode(line)
        return None if change is None else (None, canonical.decode(change.record))

    def export(self, tenant: str) -> Iterator[bytes]:
        """All of a tenant's records in the order of booking, as canonical bytes; tombstones in the
        places of those that were destroyed.

        After the records of each batch comes the tenant-batch record that counts them: numbered
        without gaps per writer, so that an omission shows. Raises Damaged.
        """
        for batch in self._batches(tenant):
            yield from (line.rstrip(b" ") for line in batch_lines(self._files, batch))
            yield batch.record

    def between(self, tenant: str, since_unix_s: int, until_unix_s: int) -> Iterator[bytes]:
        """A tenant's records of that time, and some others, as canonical bytes. Raises Damaged.

        The ids say when a request came, so batches without one of that time are not read.
        """
        first, end = _first_id(since_unix_s - 1), _first_id(until_unix_s + 1)
        with self._store.read() as transaction:
            span = transaction.books.span(first, end)
        if span is not None:
            for batch in self._batches(tenant, *span):
                yield from batch_records(self._files, batch)

    def _batches(
        self, tenant: str, first: int = 1, last: int | None = None
    ) -> Iterator[TenantBatch]:
        """A tenant's batches in the order of booking."""
        after = first - 1
        while True:
            with self._store.read() as transaction:
                page = transaction.books.tenant_batches(after, _PAGE, tenant)
            for batch in page:
                if last is not None and batch.id > last:
                    return
                yield batch
            if not page:
                return
            after = page[-1].id


def _first_id(unix_s: int) -> bytes:
    """No record's id of that time or later is smaller: a UUIDv7 begins with its milliseconds."""
    return (max(unix_s, 0) * 1000).to_bytes(6, "big") + bytes(10)

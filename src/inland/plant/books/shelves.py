"""Records as they were booked: found by reference, read back, exported in order."""

from collections.abc import Iterator

from inland.domain.errors import Damaged
from inland.ledger import canonical
from inland.ledger.records import Record
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
    """The canonical bytes of a tenant batch's records, in order. Raises Damaged."""
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

        Raises Damaged.
        """
        record_id = parse_ref(ref)
        if record_id is None:
            return None
        with self._store.read() as transaction:
            place = transaction.books.place(id_bytes(record_id))
            change = None if place else transaction.books.log_record(record_id)
        if place is not None:
            record = batch_records(self._files, place.batch)[place.index]
            return place.batch.tenant, canonical.decode(record)
        return None if change is None else (None, canonical.decode(change.record))

    def export(self, tenant: str) -> Iterator[bytes]:
        """All of a tenant's records in the order of booking, as canonical bytes.

        After the records of each batch comes the tenant-batch record that counts them: numbered
        without gaps per writer, so that an omission shows. Raises Damaged.
        """
        after = 0
        while True:
            with self._store.read() as transaction:
                page = transaction.books.tenant_batches(after, _PAGE, tenant)
            if not page:
                return
            for batch in page:
                yield from batch_records(self._files, batch)
                yield batch.record
            after = page[-1].id

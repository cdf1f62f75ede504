"""The part of the check that walks records: volumes, batches, the id index, usage."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from inland.domain.errors import Damaged
from inland.ledger import canonical, merkle
from inland.ledger.canonical import Malformed
from inland.ledger.records import Record
from inland.plant.books.findings import Report
from inland.plant.books.shelves import batch_records, volume_path
from inland.plant.books.tally import Tally
from inland.ports.billing import BillingTables, Spending
from inland.ports.books import BookTables, TenantBatch, Volume, batch_ref
from inland.ports.files import Files

_PAGE = 200


def check_records(report: Report, files: Files, books: BookTables, billing: BillingTables) -> None:
    """Every booked record lies in its tree, once, under its id, and is counted in usage."""
    walk = _Walk(report, files, books)
    for (writer, number), batch in groupby(_all(books), lambda b: (b.writer, b.batch)):
        walk.batch(writer, number, list(batch))
    walk.totals()
    walk.spending(billing)


def _all(books: BookTables) -> Iterator[TenantBatch]:
    after = 0
    while page := books.tenant_batches(after, _PAGE, None):
        yield from page
        after = page[-1].id


class _Walk:
    """Batches in the order they were booked, and the totals they should come to."""

    def __init__(self, report: Report, files: Files, books: BookTables) -> None:
        self._report = report
        self._files = files
        self._books = books
        self._volumes: dict[tuple[str, str], Volume] = {}
        self._batches: dict[str, int] = {}
        self._usage = Tally("")

    def batch(self, writer: str, number: int, batch: list[TenantBatch]) -> None:
        where = batch_ref(writer, number)
        self._report.batches += 1
        expected = self._batches.get(writer, 0)
        self._report.demand(number == expected, where, f"where batch {expected} belongs")
        self._batches[writer] = number + 1
        self._report.demand(
            [each.position for each in batch] == list(range(len(batch))), where, "not whole"
        )
        for tenant_batch in batch:
            try:
                self._tenant_batch(tenant_batch)
            except (Damaged, Malformed) as error:
                self._report.find(f"tenant batch {tenant_batch.id}", str(error))
        logged = self._books.log_record(where)
        if logged is None:
            self._report.find(where, "not in the site log")
            return
        root = merkle.root([canonical.entry(each.record) for each in batch]).hex()
        facts = {"writer": writer, "number": number, "count": len(batch), "root": root}
        try:
            self._agree(where, canonical.decode(logged.record), facts)
        except Malformed as error:
            self._report.find(where, str(error))

    def _tenant_batch(self, batch: TenantBatch) -> None:
        self._report.tenant_batches += 1
        key = (batch.tenant, batch.writer)
        volume = self._volumes.get(key, Volume(*key))
        self._volumes[key] = Volume(
            *key,
            volume.bytes + batch.length,
            volume.records + batch.count,
            volume.batches + 1,
        )
        where = f"tenant batch {batch.id}"
        self._report.demand(batch.offset == volume.bytes, where, "not where the last one ended")
        records = batch_records(self._files, batch)
        root = merkle.root([canonical.entry(record) for record in records]).hex()
        facts = {
            "kind": "tenant-batch",
            "tenant": batch.tenant,
            "writer": batch.writer,
            "number": volume.batches,
            "first": volume.records,
            "count": len(records),
            "root": root,
        }
        self._agree(where, canonical.decode(batch.record), facts)
        self._report.demand(batch.number == volume.batches, where, "a number is left out")
        self._records(batch, records)

    def _records(self, batch: TenantBatch, records: list[bytes]) -> None:
        self._report.records += len(records)
        tally = Tally(batch.writer)
        for record in records:
            canonical.decode(record)
            head = tally.add(record)
            self._report.demand(
                head.tenant == batch.tenant, f"record {head.id}", f"in the volume of {batch.tenant}"
            )
            self._usage.count(head)
        ids = [key for part in tally.parts.values() for key in part.ids]
        indexed = self._books.indexed(ids)
        for index, key in enumerate(ids):
            self._report.demand(
                indexed.get(key) == (batch.id, index), f"record {key.hex()}", "not under its id"
            )

    def _agree(self, where: str, record: Record, facts: dict[str, object]) -> None:
        for name, value in facts.items():
            said = record.get(name)
            self._report.demand(said == value, where, f"says {name} {said}, it is {value}")

    def totals(self) -> None:
        """What the database sums up is what was walked."""
        report, books = self._report, self._books
        stated = {(v.tenant, v.writer): v for v in books.volumes()}
        for key in stated.keys() | self._volumes.keys():
            report.demand(
                stated.get(key) == self._volumes.get(key), volume_path(*key), "totals differ"
            )
        positions = books.positions()
        for writer in positions.keys() | self._batches.keys():
            said = positions[writer].batches if writer in positions else 0
            made = self._batches.get(writer, 0)
            report.demand(said == made, f"writer {writer}", f"says {said} batches, has {made}")
        ids = books.id_count()
        report.demand(ids == report.records, "id index", f"{ids} ids, {report.records} records")
        counted = sorted(self._usage.usage(), key=repr)
        summed = sorted(books.usage(None, 0), key=repr)
        report.demand(counted == summed, "usage", "is not the sum of the records")

    def spending(self, billing: BillingTables) -> None:
        """What was spent is the sum of the records, whoever wrote them and at whichever price."""
        counted, summed = _spent(self._usage.spending()), _spent(billing.spending(None, 0))
        self._report.demand(counted == summed, "spending", "is not the sum of the records")


def _spent(rows: Iterable[Spending]) -> dict[tuple[int, str, str, str], tuple[int, ...]]:
    sums: dict[tuple[int, str, str, str], tuple[int, ...]] = {}
    for row in rows:
        names = (row.day_unix_s, row.tenant, row.key, row.deployment)
        before = sums.get(names, (0, 0, 0))
        sums[names] = tuple(a + b for a, b in zip(before, row.tokens, strict=True))
    return sums

"""The part of the check that walks records: volumes, batches, the id index, usage."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from itertools import groupby

from inland.domain.budgets import DAY_S
from inland.domain.errors import Damaged
from inland.ledger import canonical, merkle
from inland.ledger.canonical import Malformed
from inland.ledger.records import Record
from inland.ledger.tombstones import entry_of, is_tombstone, tombstone_of
from inland.plant.books.check_destroyed import Stones
from inland.plant.books.findings import Report
from inland.plant.books.shelves import batch_lines, volume_path
from inland.plant.books.tally import Tally, id_bytes
from inland.ports.billing import BillingTables, Spending
from inland.ports.books import BookTables, TenantBatch, UsageRow, Volume, batch_ref
from inland.ports.files import Files

_PAGE = 200


def check_records(report: Report, files: Files, books: BookTables, billing: BillingTables) -> None:
    """Every booked record lies in its tree, once, under its id, and is counted in usage."""
    walk = _Walk(report, files, books)
    for (writer, number), batch in groupby(_all(books), lambda b: (b.writer, b.batch)):
        walk.batch(writer, number, list(batch))
    walk.stones()
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
        self._stones = Stones(books)

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
        lines = batch_lines(self._files, batch)
        root = merkle.root([entry_of(line) for line in lines]).hex()
        facts = {
            "kind": "tenant-batch",
            "tenant": batch.tenant,
            "writer": batch.writer,
            "number": volume.batches,
            "first": volume.records,
            "count": len(lines),
            "root": root,
        }
        self._agree(where, canonical.decode(batch.record), facts)
        self._report.demand(batch.number == volume.batches, where, "a number is left out")
        self._records(batch, lines)

    def _records(self, batch: TenantBatch, lines: list[bytes]) -> None:
        ids = []
        for line in lines:
            if is_tombstone(line):
                stone = tombstone_of(line)
                self._report.destroyed += 1
                self._stones.add(batch, stone)
                ids.append(id_bytes(stone.id))
                continue
            canonical.decode(line)
            self._report.records += 1
            head = Tally(batch.writer).add(line)
            self._report.demand(
                head.tenant == batch.tenant, f"record {head.id}", f"in the volume of {batch.tenant}"
            )
            self._usage.count(head)
            ids.append(id_bytes(head.id))
        indexed = self._books.indexed(ids)
        for index, key in enumerate(ids):
            self._report.demand(
                indexed.get(key) == (batch.id, index), f"record {key.hex()}", "not under its id"
            )

    def _agree(self, where: str, record: Record, facts: dict[str, object]) -> None:
        for name, value in facts.items():
            said = record.get(name)
            self._report.demand(said == value, where, f"says {name} {said}, it is {value}")

    def stones(self) -> None:
        """What was destroyed is what records of it say."""
        self._stones.check(self._report)

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
        ids, there = books.id_count(), report.records + report.destroyed
        report.demand(ids == there, "id index", f"{ids} ids, {there} records")
        counted = sorted(_summed([*self._usage.usage(), *self._stones.usage]), key=repr)
        summed = sorted(books.usage(None, 0), key=repr)
        report.demand(counted == summed, "usage", "is not the sum of the records")

    def spending(self, billing: BillingTables) -> None:
        """What was spent is the sum of the records, whoever wrote them and at whichever price."""
        there = [*self._usage.spending(), *map(_spending, self._stones.usage)]
        counted, summed = _spent(there), _spent(billing.spending(None, 0))
        self._report.demand(counted == summed, "spending", "is not the sum of the records")


def _summed(rows: Iterable[UsageRow]) -> list[UsageRow]:
    """A row for each hour, tenant, deployment and key."""
    sums: dict[tuple[int, str, str, str], list[int]] = {}
    for row in rows:
        values = astuple(row)
        key, counts = values[:4], values[4:]
        before = sums.get(key, [0] * len(counts))
        sums[key] = [a + b for a, b in zip(before, counts, strict=True)]
    return [UsageRow(*key, *counts) for key, counts in sums.items()]


def _spending(row: UsageRow) -> Spending:
    """What billed records that are no more had spent: they alone count tokens."""
    day = row.hour_unix_s - row.hour_unix_s % DAY_S
    tokens = (row.prompt_tokens, row.cached_tokens, row.completion_tokens)
    return Spending(day, row.tenant, row.key, row.deployment, "", 0, *tokens)


def _spent(rows: Iterable[Spending]) -> dict[tuple[int, str, str, str], tuple[int, ...]]:
    sums: dict[tuple[int, str, str, str], tuple[int, ...]] = {}
    for row in rows:
        names = (row.day_unix_s, row.tenant, row.key, row.deployment)
        before = sums.get(names, (0, 0, 0))
        sums[names] = tuple(a + b for a, b in zip(before, row.tokens, strict=True))
    return sums

"""`ledger check`: re-reads everything and proves that it agrees. Reads only, may run beside a live
factory, and keeps one batch in memory at a time.
"""

from inland.plant.books import journals
from inland.plant.books.check_journals import check_journals
from inland.plant.books.check_log import (
    check_head,
    check_logs,
    check_published,
    newest_signed,
    published,
)
from inland.plant.books.check_records import check_records
from inland.plant.books.findings import Report
from inland.ports.files import Files
from inland.ports.store import Store


def check(files: Files, store: Store) -> Report:
    """Journals against records, records against batches, these against the log, it against its
    tiles and checkpoint, all against the database."""
    report = Report()
    with store.read() as transaction:
        since = newest_signed(transaction.books)
        check_records(report, files, transaction.books, transaction.billing)
        check_logs(report, files, transaction.books)
        walked = check_journals(files, transaction.books)
    check_head(report, files, store)
    note = published(files)
    with store.read() as transaction:
        check_published(report, files, transaction.books, note, since)
        gone = {p.writer for p in transaction.books.positions().values() if p.gone}
        for writer, found in walked.items():
            if writer not in gone:
                report.take(found)
        for position in transaction.books.positions().values():
            folder = f"journal/{position.writer}"
            if not position.gone:
                report.demand(files.exists(folder), folder, journals.MISSING)
            if position.damage is not None:
                report.find(folder, f"its booking stopped: {position.damage}")
    return report

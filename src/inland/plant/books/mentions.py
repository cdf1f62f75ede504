"""Changes that name something, found by reading the site log from a time on: rare, and never held
in memory whole."""

from collections.abc import Collection, Iterator

from inland.ledger import canonical
from inland.ledger.records import CHANGE, Record
from inland.ports.books import BookTables
from inland.ports.store import Store

#: Entries that are read at once, and by how much a clock may have gone back meanwhile.
_AT_ONCE, _SLACK_US = 2000, 3600 * 1_000_000


def changes_naming(store: Store, ids: Collection[str], since_unix_us: int) -> Iterator[Record]:
    """Those in whose bytes one of the ids is, of every log, the oldest first."""
    named = [one.encode() for one in ids]
    with store.read() as transaction:
        books = transaction.books
        sizes = [(log.number, books.log_size(log.number)) for log in books.logs()]
    for log, size in sizes:
        with store.read() as transaction:
            at = _first(transaction.books, log, size, since_unix_us - _SLACK_US)
        for start in range(at, size, _AT_ONCE):
            stop = min(start + _AT_ONCE, size)
            with store.read() as transaction:
                found = transaction.books.log_records(log, start, stop)
            for one in found:
                if any(name in one.record for name in named):
                    record = canonical.decode(one.record)
                    if record["kind"] == CHANGE:
                        yield record


def _first(books: BookTables, log: int, size: int, unix_us: int) -> int:
    """Where the entries begin that are as young as that."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        (one,) = books.log_records(log, middle, middle + 1)
        if canonical.decode(one.record)["time"] < unix_us:
            low = middle + 1
        else:
            high = middle
    return low

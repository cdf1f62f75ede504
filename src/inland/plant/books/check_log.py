"""The part of the check that walks the site logs: entries, tiles, checkpoints, the last head."""

from itertools import pairwise

from inland.domain.errors import Damaged
from inland.ledger import canonical, merkle, notes, tiles
from inland.ledger.canonical import Malformed
from inland.ledger.records import BATCH, CHANGE
from inland.ledger.rotation import LOG_ROTATE
from inland.plant.books.durable import read_file
from inland.plant.books.findings import Report
from inland.plant.books.keys import last_head
from inland.plant.books.tile_files import CHECKPOINT, TileFiles, suffix
from inland.ports.books import BookTables, Log, LogRecord, StoredCheckpoint
from inland.ports.files import Files
from inland.ports.store import Store

_PAGE = tiles.TILE_WIDTH * 8


class Levels:
    """The hash tiles of a growing tree, level by level: only what is not yet full is kept."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]
        self._full: list[int] = [0]

    def add(self, entry: bytes) -> list[tuple[str, bytes]]:
        """Take the next entry; the tiles it filled, as (path, data)."""
        filled: list[tuple[str, bytes]] = []
        level, node = 0, merkle.leaf_hash(entry)
        while True:
            if level == len(self._levels):
                self._levels.append([])
                self._full.append(0)
            held = self._levels[level]
            held.append(node)
            if len(held) < tiles.TILE_WIDTH:
                return filled
            filled.append((tiles.tile_path(level, self._full[level]), b"".join(held)))
            node = merkle.fold(held)
            self._levels[level] = []
            self._full[level] += 1
            level += 1

    def partial(self) -> list[tuple[str, bytes]]:
        """The tiles that are not full."""
        return [
            (tiles.tile_path(level, self._full[level], len(held)), b"".join(held))
            for level, held in enumerate(self._levels)
            if held
        ]

    def root(self) -> bytes:
        """The root over all entries so far."""
        root: list[bytes] = []
        for held in self._levels:
            if held or root:
                root = [merkle.fold([*held, *root])]
        return root[0] if root else merkle.EMPTY_ROOT


def check_logs(report: Report, files: Files, books: BookTables) -> None:
    """Entries are those of their records, checkpoints sign them, tiles show them."""
    logs = books.logs()
    if not logs:
        report.find("site log", "there is none")
    batches = 0
    for log in logs:
        batches += _check_log(report, books, log, TileFiles(files, suffix(log.origin)))
    for ended, following in pairwise(logs):
        _check_end(report, books, ended, following)
        if ended.checkpoint and following.checkpoint:
            _check_last(report, files, ended, ended.checkpoint)
    said = sum(position.batches for position in books.positions().values())
    report.demand(batches == said, "site log", f"{batches} batch records, {said} batches")


def _check_log(report: Report, books: BookTables, log: Log, tile_files: TileFiles) -> int:
    """One log and its tiles; how many batch records it holds."""
    size = books.log_size(log.number)
    signed = log.checkpoint.size if log.checkpoint else 0
    levels, batches = Levels(), 0
    for start in range(0, size, _PAGE):
        stop = min(start + _PAGE, size)
        entries = books.entries(log.number, start, stop)
        records = books.log_records(log.number, start, stop)
        report.log_entries += len(entries)
        whole = len(entries) == stop - start == len(records)
        report.demand(whole, log.origin, f"entries are missing after {start}")
        for index, (entry, record) in enumerate(zip(entries, records, strict=False), start):
            batches += _is_batch(report, log, entry, record)
            if index < signed:
                _compare(report, tile_files, levels.add(entry))
        _compare(report, tile_files, _bundles(entries[: max(signed - start, 0)], start))
    _compare(report, tile_files, levels.partial())
    _check_checkpoint(report, log, levels.root())
    return batches


def _check_last(report: Report, files: Files, log: Log, stored: StoredCheckpoint) -> None:
    """What is published of a log that ended is its last checkpoint, or one a database has lost."""
    tile_files = TileFiles(files, suffix(log.origin))
    where = f"{tile_files.folder}/checkpoint"
    note = tile_files.checkpoint()
    if note is None:
        report.find(where, "missing, or no text")
        return
    try:
        shown = notes.open_note(note, notes.vkey(log.origin, log.public_key))
        same = (shown.size, shown.root) == (stored.size, stored.root)
        report.demand(same or shown.size > stored.size, where, "is not the last one")
    except Malformed as error:
        report.find(where, str(error))


def _is_batch(report: Report, log: Log, entry: bytes, record: LogRecord) -> bool:
    where = f"{log.origin} entry {record.index}"
    report.demand(canonical.entry(record.record) == entry, where, "is not that of its record")
    try:
        kind = canonical.decode(record.record)["kind"]
    except (Malformed, KeyError) as error:
        report.find(where, str(error))
        return False
    report.demand(kind in (BATCH, CHANGE), where, f"a {kind} does not belong into the log")
    return bool(kind == BATCH)


def _bundles(entries: list[bytes], start: int) -> list[tuple[str, bytes]]:
    return [
        (
            tiles.bundle_path((start + at) // tiles.TILE_WIDTH, len(entries[at:][:256])),
            tiles.bundle(entries[at:][: tiles.TILE_WIDTH]),
        )
        for at in range(0, len(entries), tiles.TILE_WIDTH)
    ]


def _compare(report: Report, tile_files: TileFiles, expected: list[tuple[str, bytes]]) -> None:
    for path, data in expected:
        report.tiles += 1
        try:
            if tile_files.read(path) != data:
                where = f"{tile_files.folder}/{path}"
                report.find(where, "is not made of the log's entries")
        except FileNotFoundError:
            report.find(f"{tile_files.folder}/{path}", "missing")


def _check_end(report: Report, books: BookTables, ended: Log, following: Log) -> None:
    """A log that ended is signed whole; one whose key was rotated leads to the next, and back."""
    size = books.log_size(ended.number)
    signed = ended.checkpoint.size if ended.checkpoint else 0
    awaited = following.checkpoint is None  # its last signature comes before the next log's first
    report.demand(signed == size or awaited, ended.origin, "its end is under no checkpoint")
    last = books.log_records(ended.number, max(size - 1, 0), size)
    first = books.log_records(following.number, 0, 1)
    try:
        said = canonical.decode(last[0].record) if last else {}
        if said.get("what") != LOG_ROTATE:
            return
        vkey = notes.vkey(following.origin, following.public_key)
        report.demand(
            said["details"]["vkey"] == vkey, ended.origin, "its end names another key than the next"
        )
        if not first and following.checkpoint is None and following != books.current_log():
            return  # replaced before it signed: what it held was entered again, in the one after
        head = canonical.decode(first[0].record)["details"]["head"]
        root = ended.checkpoint.root.hex() if ended.checkpoint else None
        known = (head["origin"], head["size"]) == (ended.origin, size)
        known = known and (awaited or head["root"] == root)
        report.demand(known, following.origin, "its first entry names another head than the last")
    except (Malformed, LookupError, TypeError) as error:
        report.find(ended.origin, f"its end leads nowhere ({error!r})")


def _check_checkpoint(report: Report, log: Log, root: bytes) -> None:
    if log.checkpoint is None:
        return
    try:
        signed = notes.open_note(log.checkpoint.note, notes.vkey(log.origin, log.public_key))
    except Malformed as error:
        report.find(f"{log.origin} checkpoint", str(error))
        return
    stored = (log.checkpoint.size, log.checkpoint.root)
    report.demand(
        (signed.size, signed.root) == stored, log.origin, "the note is not the stored checkpoint"
    )
    report.demand(signed.root == root, log.origin, "the checkpoint is not over its entries")


def check_head(report: Report, files: Files, store: Store) -> None:
    """What may have been signed is remembered, before it is signed."""
    log, found, now = None, Report(), _current(store)
    while now is not None and (log is None or log.number != now.number):
        log, found = now, Report()
        _check_head(found, files, log)
        now = _current(store)  # a live factory may have gone on to a new log meanwhile
    report.take(found)


def _current(store: Store) -> Log | None:
    with store.read() as transaction:
        return transaction.books.current_log()


def _check_head(report: Report, files: Files, log: Log) -> None:
    if log.checkpoint is None:
        return
    size, root = log.checkpoint.size, log.checkpoint.root
    try:
        head = last_head(files)
        known = head is not None and head.origin == log.origin and head.size >= size
        same = head is None or head.size != size or head.root == root
        report.demand(known and same, "keys/head", "does not know the stored checkpoint")
    except Damaged as damage:
        report.find("keys/head", str(damage))


def published(files: Files) -> str | None:
    """The published checkpoint, to be read before what is stored: it is stored first."""
    try:
        return read_file(files, CHECKPOINT).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def newest_signed(books: BookTables) -> int:
    """The number of the newest log under a checkpoint; 0 if none is."""
    return max((log.number for log in books.logs() if log.checkpoint), default=0)


def check_published(
    report: Report, files: Files, books: BookTables, note: str | None, since: int
) -> None:
    """What is published is signed, and of the history that is stored.

    `since` was the newest log signed before `note` was read: it may be that one's or a later one's.
    """
    logs = [log for log in books.logs() if log.checkpoint and log.number >= since]
    if note is None:
        report.demand(not logs or logs[-1] != books.current_log(), CHECKPOINT, "missing")
        return
    for log in logs:
        if log is logs[-1] or note.startswith(f"{log.origin}\n"):
            _check_note(report, files, log, note)
            return


def _check_note(report: Report, files: Files, log: Log, note: str) -> None:
    try:
        shown = notes.open_note(note, notes.vkey(log.origin, log.public_key))
        report.demand(_begins(files, log, shown), CHECKPOINT, "of another history")
    except (Malformed, Damaged, FileNotFoundError) as error:
        report.find(CHECKPOINT, str(error))


def _begins(files: Files, log: Log, shown: notes.Checkpoint) -> bool:
    """Whether the log under its stored checkpoint begins with the published one's."""
    stored = log.checkpoint
    assert stored is not None
    if shown.size == stored.size:
        return shown.root == stored.root
    read = TileFiles(files, suffix(log.origin)).read
    return 0 < shown.size < stored.size and (
        tiles.prefix_root(read, shown.size, stored.size) == shown.root
    )

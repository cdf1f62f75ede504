"""The part of the check that walks the site logs: entries, tiles, checkpoints, the last head."""

from inland.domain.errors import Damaged
from inland.ledger import canonical, merkle, notes, tiles
from inland.ledger.canonical import Malformed
from inland.ledger.records import BATCH, CHANGE
from inland.plant.books.durable import read_file
from inland.plant.books.findings import Report
from inland.plant.books.keys import last_head
from inland.plant.books.tile_files import CHECKPOINT, TileFiles
from inland.ports.books import BookTables, Log, LogRecord, StoredCheckpoint
from inland.ports.files import Files

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
        tile_files = TileFiles(files) if log is logs[-1] else None
        batches += _check_log(report, books, log, tile_files)
    said = sum(position.batches for position in books.positions().values())
    report.demand(batches == said, "site log", f"{batches} batch records, {said} batches")
    if logs:
        _check_heads(report, files, logs[-1])


def _check_log(report: Report, books: BookTables, log: Log, tile_files: TileFiles | None) -> int:
    """One log, with the tiles of the one that grows; how many batch records it holds."""
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
                filled = levels.add(entry)
                if tile_files is not None:
                    _compare(report, tile_files, filled)
        if tile_files is not None:
            _compare(report, tile_files, _bundles(entries[: max(signed - start, 0)], start))
    if tile_files is not None:
        _compare(report, tile_files, levels.partial())
    _check_checkpoint(report, log, levels.root())
    return batches


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
            report.demand(tile_files.read(path) == data, path, "is not made of the log's entries")
        except FileNotFoundError:
            report.find(path, "missing")


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


def _check_heads(report: Report, files: Files, log: Log) -> None:
    """What may have been signed is remembered."""
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


def check_published(report: Report, files: Files, books: BookTables, note: str | None) -> None:
    """What is published is signed, and of the history that is stored."""
    log = books.current_log()
    if log is None or log.checkpoint is None:
        return
    if note is None:
        report.find(CHECKPOINT, "missing")
        return
    try:
        shown = notes.open_note(note, notes.vkey(log.origin, log.public_key))
        report.demand(_begins(files, log.checkpoint, shown), CHECKPOINT, "of another history")
    except (Malformed, Damaged, FileNotFoundError) as error:
        report.find(CHECKPOINT, str(error))


def _begins(files: Files, stored: StoredCheckpoint, shown: notes.Checkpoint) -> bool:
    """Whether the stored checkpoint's log begins with the published one's."""
    if shown.size == stored.size:
        return shown.root == stored.root
    read = TileFiles(files).read
    return 0 < shown.size < stored.size and (
        tiles.prefix_root(read, shown.size, stored.size) == shown.root
    )

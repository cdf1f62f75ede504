"""Receipts: from a record up the trees it was booked in, to the newest checkpoint of its log."""

from inland.domain.errors import BadInput, Conflict, Damaged
from inland.ledger import canonical, merkle, receipts, tiles
from inland.ledger.receipts import Consistency, Link
from inland.ledger.records import Record
from inland.ledger.rotation import LOG_ROTATE
from inland.ledger.tombstones import is_tombstone, tombstone_of
from inland.plant.books.batch_trees import BatchTrees
from inland.plant.books.shelves import parse_ref
from inland.plant.books.tally import id_bytes
from inland.plant.books.tile_files import TileFiles, suffix
from inland.ports.books import BookTables, Log, LogRecord, Place, batch_ref
from inland.ports.files import Files
from inland.ports.store import Store


class Receipts:
    """Makes receipts. Any number of threads may."""

    def __init__(self, files: Files, store: Store) -> None:
        self._files = files
        self._store = store
        self._trees = BatchTrees(files)

    def get(self, ref: str, since: int | None = None) -> bytes | None:
        """The receipt of a reference; None while it is unknown or under no checkpoint yet.

        With `since`, it proves too that the log's first `since` entries are still its beginning.
        Raises BadInput when the log never had that many, Conflict for a record that was destroyed,
        and Damaged.
        """
        record_id = parse_ref(ref)
        if record_id is None:
            return None
        with self._store.read() as transaction:
            books = transaction.books
            place = books.place(id_bytes(record_id))
            links = self._booked(books, place) if place else []
            top = books.log_record(
                batch_ref(place.batch.writer, place.batch.batch) if place else record_id
            )
            if top is None:
                return None
            tree = _LogTree(books, self._files, books.logs()[top.log])
            if top.index >= tree.size:
                return None
            return self._finish(links, top, tree, since)

    def successor(self, log: str) -> bytes | None:
        """The receipt of a log's last entry, when that leads to the next log; `log` is a suffix."""
        with self._store.read() as transaction:
            for each in transaction.books.logs():
                if suffix(each.origin) == log:
                    size = transaction.books.log_size(each.number)
                    last = transaction.books.log_records(each.number, max(size - 1, 0), size)
                    said = canonical.decode(last[0].record) if last else {}
                    return self.get(said["id"]) if said.get("what") == LOG_ROTATE else None
        return None

    def _booked(self, books: BookTables, place: Place) -> list[Link]:
        """The links below the site log: the record in its tenant's tree, that in its batch's."""
        batch = place.batch
        data, own = self._trees.record(batch, place.index)
        if is_tombstone(data):
            raise destroyed(tombstone_of(data).said())
        siblings = books.batch(batch.writer, batch.batch)
        above = merkle.Tree([canonical.entry(sibling.record) for sibling in siblings])
        described = canonical.decode(batch.record)
        return [
            Link(canonical.decode(data), place.index, own.size, own.inclusion(place.index)),
            Link(described, batch.position, above.size, above.inclusion(batch.position)),
        ]

    def _finish(
        self, links: list[Link], top: LogRecord, tree: "_LogTree", since: int | None
    ) -> bytes:
        record = canonical.decode(top.record)
        last = Link(record, top.index, tree.size, tree.inclusion(top.index))
        consistency = None
        if since is not None:
            if not 0 <= since <= tree.size:
                raise BadInput("since", f"the log has {tree.size} entries under its checkpoint")
            consistency = tree.consistency(since)
        return receipts.build([*links, last], tree.note, consistency)


def destroyed(said: Record) -> Conflict:
    """What is told of a record that is no more, by what its tombstone says."""
    why = f"it was destroyed: get the receipt of record {said['intent']}, which says by whom"
    return Conflict(f"record {said['id']}", why)


class _LogTree:
    """The tree under a log's newest checkpoint: from its tiles, or from entries where these are not
    at hand (a log that was replaced because they were lost)."""

    def __init__(self, books: BookTables, files: Files, log: Log) -> None:
        self.size = log.checkpoint.size if log.checkpoint else 0
        self.note = log.checkpoint.note if log.checkpoint else ""
        self._read = TileFiles(files, suffix(log.origin)).read
        shown = log.checkpoint is None or self._has(log.checkpoint.root)
        self._tree = None if shown else merkle.Tree(books.entries(log.number, 0, self.size))

    def _has(self, root: bytes) -> bool:
        try:
            return tiles.tree_root(self._read, self.size) == root
        except (FileNotFoundError, Damaged):
            return False

    def inclusion(self, index: int) -> list[bytes]:
        if self._tree is not None:
            return self._tree.inclusion(index)
        return tiles.inclusion_from_tiles(self._read, index, self.size)

    def consistency(self, old: int) -> Consistency:
        if self._tree is not None:
            root = merkle.range_root(0, old, self._tree.node) if old else merkle.EMPTY_ROOT
            return Consistency(old, root, self._tree.consistency(old))
        root = tiles.prefix_root(self._read, old, self.size)
        return Consistency(old, root, tiles.consistency_from_tiles(self._read, old, self.size))

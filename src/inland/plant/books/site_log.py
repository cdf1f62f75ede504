"""The site log: entries of one transaction with what they tell of, and the head signed over them.

A checkpoint is stored before it is published, and `keys/head` knows it before it is signed. So a
database that does not contain that head is a copy from before it: its log is never signed again,
and a new one, of another origin, begins by naming that head.
"""

from dataclasses import dataclass

from inland.domain.errors import Damaged
from inland.domain.ids import UUID7_RANDOM_BYTES, uuid7
from inland.ledger import canonical, notes, tiles
from inland.ledger.records import CHANGE, SALT_BYTES, new_record
from inland.plant.books import keys
from inland.plant.books.keys import Head
from inland.plant.books.tile_files import TileFiles
from inland.ports.books import BookTables, Log, StoredCheckpoint
from inland.ports.clock import Clock, Entropy
from inland.ports.files import Files
from inland.ports.store import Store

#: Entries that one checkpoint may add; more wait for the next.
CHECKPOINT_ENTRIES = 50_000
_SUFFIX_BYTES = 4


@dataclass(frozen=True, slots=True)
class Signed:
    """What a checkpoint covered: `whole` if all entries there were when it began."""

    size: int
    whole: bool


class SiteLog:
    """The only log and the only signer. One of it, in one thread; `open` comes first."""

    def __init__(
        self, files: Files, store: Store, clock: Clock, entropy: Entropy, factory: str
    ) -> None:
        """`factory` is the first part of the origin's name: a DNS label."""
        self._files = files
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._factory = factory
        self._tiles = TileFiles(files)
        self._log: Log | None = None
        self._published: str | None = None

    def open(self) -> None:
        """Go on with the log at hand if it contains the last head signed; else with a new one."""
        self._tiles.prepare()
        self._key = keys.signing_key(self._files, self._entropy)
        self._public = keys.public_bytes(self._key)
        head = keys.last_head(self._files)
        with self._store.read() as transaction:
            log = transaction.books.current_log()
            known = log is not None and self._contains(transaction.books, log, head)
        if log is None or not known:
            log = self._open_new(head)
        self._log = log
        if log.checkpoint is not None:
            self._publish(log.checkpoint.note)

    @property
    def vkey(self) -> str:
        """The public key in signed-note form; it changes with the origin only."""
        assert self._log is not None
        return notes.vkey(self._log.origin, self._public)

    def _contains(self, books: BookTables, log: Log, head: Head | None) -> bool:
        if log.public_key != self._public:
            return False
        if log.checkpoint is None and _named(books, log) == (head and head.facts()):
            return True
        if head is None or head.origin != log.origin or head.size > books.log_size(log.number):
            return False
        try:
            return self._root_at(books, log, head.size) == head.root
        except (FileNotFoundError, Damaged):
            return False

    def _root_at(self, books: BookTables, log: Log, size: int) -> bytes:
        """The root over the log's first `size` entries: its tiles, and what they lack."""
        stored = log.checkpoint.size if log.checkpoint else 0
        if log.checkpoint and tiles.tree_root(self._tiles.read, stored) != log.checkpoint.root:
            raise Damaged("ledger", "the tiles are not those of the stored checkpoint")
        if size <= stored:
            return tiles.prefix_root(self._tiles.read, size, stored)
        entries = books.entries(log.number, stored, size)
        new = dict(tiles.new_tiles(self._tiles.read, stored, size, entries))
        return tiles.tree_root(lambda path: new.get(path) or self._tiles.read(path), size)

    def _open_new(self, head: Head | None) -> Log:
        self._tiles.set_aside(self._entropy(_SUFFIX_BYTES).hex())
        origin = f"{self._factory}.inland/log/{self._entropy(_SUFFIX_BYTES).hex()}"
        now = self._clock.unix_us()
        record = new_record(
            CHANGE,
            salt=self._entropy(SALT_BYTES),
            unix_us=now,
            id=uuid7(now // 1000, self._entropy(UUID7_RANDOM_BYTES)),
            what="log.open",
            who="factory",
            subject=origin,
            details={"head": head and head.facts()},
        )
        with self._store.write() as transaction:
            old = transaction.books.current_log()
            log = transaction.books.open_log(origin, self._public)
            transaction.books.append(record)
            if old is not None:
                covered = old.checkpoint.size if old.checkpoint else 0
                transaction.books.enter_again(old.number, covered)
        return log

    def checkpoint(self) -> Signed:
        """Sign what was entered since the last one, and publish it. Nothing new, nothing signed."""
        with self._store.read() as transaction:
            log = transaction.books.current_log()
            assert log is not None
            stored = log.checkpoint.size if log.checkpoint else 0
            there = transaction.books.log_size(log.number)
            size = min(there, stored + CHECKPOINT_ENTRIES)
            entries = transaction.books.entries(log.number, stored, size)
        if entries:
            new = tiles.new_tiles(self._tiles.read, stored, size, entries)
            self._tiles.write(new)
            self._sign(log, size, tiles.tree_root(self._tiles.read, size))
            self._tiles.remove_partials(new)
        elif log.checkpoint is not None and log.checkpoint.note != self._published:
            self._publish(log.checkpoint.note)
        return Signed(size, size == there)

    def _sign(self, log: Log, size: int, root: bytes) -> None:
        keys.remember_head(self._files, Head(log.origin, size, root))
        body = notes.checkpoint_body(log.origin, size, root)
        note = notes.sign(body, log.origin, self._key.sign, self._public)
        with self._store.write() as transaction:
            transaction.books.put_checkpoint(log.number, StoredCheckpoint(size, root, note))
        self._publish(note)

    def _publish(self, note: str) -> None:
        self._tiles.publish(note)
        self._published = note


def _named(books: BookTables, log: Log) -> object:
    """The head that the log's first record names."""
    first = books.log_records(log.number, 0, 1)
    return canonical.decode(first[0].record)["details"]["head"] if first else None

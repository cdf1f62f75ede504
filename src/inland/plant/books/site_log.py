"""The site log: entries of one transaction with what they tell of, and the head signed over them.

A checkpoint is stored before it is published, and `keys/head` knows it before it is signed. A
database that does not contain that head is older: its log is never signed again, and a new one,
of another origin, begins by naming that head. A rotation of the key ends a log so, too, announced:
its last entry names the key of the next, which signs nothing before the old one has signed it all.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inland.domain.errors import Damaged
from inland.domain.ids import UUID7_RANDOM_BYTES, uuid7
from inland.ledger import canonical, notes, tiles
from inland.ledger.canonical import Malformed
from inland.ledger.records import CHANGE, SALT_BYTES, Record, new_record
from inland.ledger.rotation import LOG_OPEN, LOG_ROTATE
from inland.plant.books import keys, tile_files
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


@dataclass(frozen=True, slots=True)
class _Signing:
    """The log that is being signed, by its one key."""

    number: int
    origin: str
    key: Ed25519PrivateKey
    public: bytes
    tiles: TileFiles


class SiteLog:
    """The only log and the only signer. One of it, one caller at a time; `open` comes first."""

    def __init__(
        self, files: Files, store: Store, clock: Clock, entropy: Entropy, factory: str
    ) -> None:
        """`factory` is the first part of the origin's name: a DNS label."""
        self._files = files
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._factory = factory
        self._at: _Signing | None = None
        self._published: str | None = None
        self._whole: tuple[int, Signed] | None = None

    def open(self) -> None:
        """Go on with the log at hand if it contains the last head signed; else with a new one.

        A rotation that was cut short is finished by the next checkpoint.
        """
        tile_files.prepare(self._files)
        key = keys.signing_key(self._files, self._entropy)
        public, head = keys.public_bytes(key), keys.last_head(self._files)
        with self._store.read() as transaction:
            logs = transaction.books.logs()
            log = self._signed_by(logs, public)
            known = log is not None and self._contains(transaction.books, logs, log, head)
        if log is None or not known:
            log = self._replace(head, public)
        if all(each.number <= log.number for each in logs):
            keys.drop_next(self._files)
        self._take_up(log)
        self._publish_again(logs)

    def _signed_by(self, logs: list[Log], public: bytes) -> Log | None:
        """The log that the key at hand may sign: the last but one where it waits for its end."""
        rotating = (
            len(logs) > 1
            and logs[-2].public_key == public
            and logs[-1].public_key == keys.next_public(self._files)
        )
        log = logs[-2 if rotating else -1] if logs else None
        return log if log is not None and log.public_key == public else None

    def _take_up(self, log: Log) -> None:
        key = keys.kept_key(self._files)
        public = keys.public_bytes(key)
        self._at = _Signing(log.number, log.origin, key, public, self._tiles(log))

    def _tiles(self, log: Log) -> TileFiles:
        return TileFiles(self._files, tile_files.suffix(log.origin))

    def _publish_again(self, logs: list[Log]) -> None:
        """What is published is not synced: a crash may have taken it back."""
        at = self._signing()
        for log in logs:
            if log.checkpoint is None:
                continue
            if log.number == at.number:
                self._publish(log.checkpoint.note)
            elif log.number < at.number:
                files = self._tiles(log)
                if not _is_shown(files.checkpoint(), log):
                    files.publish_last(log.checkpoint.note)

    def _signing(self) -> _Signing:
        assert self._at is not None, "the site log is opened first"
        return self._at

    @property
    def vkey(self) -> str:
        """The public key in signed-note form; it changes with the origin only."""
        at = self._signing()
        return notes.vkey(at.origin, at.public)

    def _contains(self, books: BookTables, logs: list[Log], log: Log, head: Head | None) -> bool:
        """Whether the log is the one signed last, and all that went before it is signed."""
        for ended in logs[: logs.index(log)]:
            if books.log_size(ended.number) != _covered(ended):
                return False
        if log is logs[-1] and self._tiles(log).folder != tile_files.FOLDER:
            return False  # it was about to be replaced
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
        read = self._tiles(log).read
        stored = _covered(log)
        if log.checkpoint and tiles.tree_root(read, stored) != log.checkpoint.root:
            raise Damaged("ledger", "the tiles are not those of the stored checkpoint")
        if size <= stored:
            return tiles.prefix_root(read, size, stored)
        entries = books.entries(log.number, stored, size)
        new = dict(tiles.new_tiles(read, stored, size, entries))
        return tiles.tree_root(lambda path: new.get(path) or read(path), size)

    def _replace(self, head: Head | None, public: bytes) -> Log:
        """A new log in place of one that must not be signed again, and what that had unsigned."""
        owner = tile_files.suffix(head.origin) if head else tile_files.published_suffix(self._files)
        tile_files.set_aside(self._files, owner, self._entropy(_SUFFIX_BYTES).hex())
        with self._store.write() as transaction:
            books = transaction.books
            before = books.logs()
            log = self._begin(books, self._new_origin(), public, head)
            for old in before:
                books.enter_again(old.number, _covered(old))
        return log

    def _begin(self, books: BookTables, origin: str, public: bytes, head: Head | None) -> Log:
        """Let a new log be the one that grows: its first entry names the head it follows."""
        log = books.open_log(origin, public)
        books.append(self._change(LOG_OPEN, "factory", origin, head=head and head.facts()))
        return log

    def _new_origin(self) -> str:
        return f"{self._factory}.inland/log/{self._entropy(_SUFFIX_BYTES).hex()}"

    def _change(self, what: str, who: str, subject: str, **details: object) -> Record:
        now = self._clock.unix_us()
        return new_record(
            CHANGE,
            salt=self._entropy(SALT_BYTES),
            unix_us=now,
            id=uuid7(now // 1000, self._entropy(UUID7_RANDOM_BYTES)),
            what=what,
            who=who,
            subject=subject,
            details=details,
        )

    def rotate(self, who: str, why: str) -> str:
        """End the log and its key, go on with new ones; the id of the record that says so.

        Nobody waits for it but the caller: what is entered meanwhile goes into the new log. Raised
        before the one transaction has ended, an error means that nothing was rotated; after it, the
        next checkpoint goes on with it.
        """
        while not self.checkpoint().whole:
            pass  # so that the transaction has few entries to hash
        origin, public = self._new_origin(), keys.make_next(self._files, self._entropy)
        vkey = notes.vkey(origin, public)
        with self._store.write() as transaction:
            books = transaction.books
            old = books.logs()[-1]
            record = self._change(LOG_ROTATE, who, old.origin, vkey=vkey, why=why)
            size = books.append(record) + 1
            head = Head(old.origin, size, self._root_at(books, old, size))
            self._begin(books, origin, public, head)
        while not self.checkpoint().whole:
            pass
        return str(record["id"])

    def checkpoint(self) -> Signed:
        """Sign what was entered since the last one, and publish it. Nothing new, nothing signed.

        A log that has ended and is signed whole gives way to the next one.
        """
        written = self._store.written()
        if self._whole is not None and self._whole[0] == written:
            return self._whole[1]
        signed, ended = self._sign_entries()
        if signed.whole and ended:
            self._succeed()
            signed, _ = self._sign_entries()
        self._whole = (written, signed) if signed.whole else None
        return signed

    def _sign_entries(self) -> tuple[Signed, bool]:
        """Sign the log at hand; whether it has ended is as true as what was signed is whole."""
        at = self._signing()
        with self._store.read() as transaction:
            logs = transaction.books.logs()
            log = next(each for each in logs if each.number == at.number)
            stored, there = _covered(log), transaction.books.log_size(log.number)
            size = min(there, stored + CHECKPOINT_ENTRIES)
            entries = transaction.books.entries(log.number, stored, size)
        if entries:
            new = tiles.new_tiles(at.tiles.read, stored, size, entries)
            at.tiles.write(new)
            self._sign(at, size, tiles.tree_root(at.tiles.read, size))
            at.tiles.remove_partials(new)
        elif log.checkpoint is not None and log.checkpoint.note != self._published:
            self._publish(log.checkpoint.note)
        return Signed(size, size == there), log is not logs[-1]

    def _sign(self, at: _Signing, size: int, root: bytes) -> None:
        keys.remember_head(self._files, Head(at.origin, size, root))
        body = notes.checkpoint_body(at.origin, size, root)
        note = notes.sign(body, at.origin, at.key.sign, at.public)
        with self._store.write() as transaction:
            transaction.books.put_checkpoint(at.number, StoredCheckpoint(size, root, note))
        self._publish(note)

    def _publish(self, note: str) -> None:
        self._signing().tiles.publish(note)
        self._published = note

    def _succeed(self) -> None:
        """The log at hand is signed for good: its files give way, its key goes, the next begins."""
        at = self._signing()
        with self._store.read() as transaction:
            logs = transaction.books.logs()
        old, log = logs[at.number], logs[at.number + 1]
        assert old.checkpoint is not None
        at.tiles.end(old.checkpoint.note)
        keys.take_next(self._files, log.public_key)
        self._take_up(log)


def _covered(log: Log) -> int:
    return log.checkpoint.size if log.checkpoint else 0


def _named(books: BookTables, log: Log) -> object:
    """The head that the log's first record names."""
    first = books.log_records(log.number, 0, 1)
    return canonical.decode(first[0].record)["details"]["head"] if first else None


def _is_shown(note: str | None, log: Log) -> bool:
    """Whether what is published of a log that ended covers all that was stored of it."""
    try:
        key = notes.vkey(log.origin, log.public_key)
        return note is not None and notes.open_note(note, key).size >= _covered(log)
    except Malformed:
        return False

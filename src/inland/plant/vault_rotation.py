"""Rotating what keys of assets are wrapped under: intended on the books, done, and said there.

Both factory keys work until the last key was rewrapped, so whatever stops it, it is gone on with.
"""

from threading import Lock

from inland.domain.errors import Conflict
from inland.ledger import canonical
from inland.plant.changes import Changes
from inland.ports.keys import Wrapped

#: A rotation that cannot end (a key's file is damaged) is tried again after so long, in seconds.
AGAIN_S = 60.0
#: How far back the log is looked through for what a stop left open, in records.
_BACK = 256
_INTEND, _DONE, _UNDONE = "vault.rotate", "vault.rotated", "vault.undo"
_SUBJECT = "keys"


class Rotation:
    """The rotations of one factory, one at a time."""

    def __init__(self, changes: Changes, keys: Wrapped | None) -> None:
        """`keys`: None where nothing is wrapped."""
        self._changes = changes
        self._keys = keys
        self._lock = Lock()
        self._is_settled = False
        self._next_s = 0.0

    def rotate(self, who: str, secret: bytes | None = None) -> int:
        """Put every key under a new factory key; how many there are.

        `secret`: what the present one is under, where the factory cannot read that any more.
        Raises Conflict where nothing is wrapped here, KeysAway, and Damaged: then both work on.
        """
        wrapped = self._keys
        if wrapped is None:
            why = "the key server makes them: nothing of a key lies here that could be rewrapped"
            raise Conflict("rotating the keys of assets", why)
        with self._lock:
            self._go_on(wrapped)
            with self._changes.act(who) as (_, book):
                intent = book(_INTEND, _SUBJECT)
            try:
                keys = wrapped.rotate(intent, secret)
            except BaseException:
                self._is_settled = False
                if wrapped.rotating() is None:  # nothing was begun
                    self._changes.note(who, _UNDONE, _SUBJECT, intent=intent)
                raise
            self._changes.note(who, _DONE, _SUBJECT, intent=intent, keys=keys)
            wrapped.rotated()
            return keys

    def step(self) -> None:
        """End what a stop left; what cannot end is tried again each `AGAIN_S`."""
        now_s = self._changes.clock.monotonic()
        if self._keys is None or self._is_settled or now_s < self._next_s:
            return
        self._next_s = now_s + AGAIN_S
        with self._lock:
            self._go_on(self._keys)
        self._is_settled = True

    def _go_on(self, wrapped: Wrapped) -> None:
        under_way, (left, ended) = wrapped.rotating(), self._last()
        for intent in left - {under_way}:
            self._changes.note("vault", _UNDONE, _SUBJECT, intent=intent)
        if under_way is None:
            return
        if under_way not in ended:
            keys = wrapped.rotate(under_way)
            self._changes.note("vault", _DONE, _SUBJECT, intent=under_way, keys=keys)
        wrapped.rotated()

    def _last(self) -> tuple[set[str], set[str]]:
        """Of the last records' intents: those that nothing ended, and those that something did."""
        with self._changes.store.read() as transaction:
            books = transaction.books
            log = books.current_log()
            size = 0 if log is None else books.log_size(log.number)
            rows = [] if log is None else books.log_records(log.number, max(0, size - _BACK), size)
        begun: set[str] = set()
        ended: set[str] = set()
        for row in rows:
            said = canonical.decode(row.record)
            if said.get("what") == _INTEND:
                begun.add(str(said["id"]))
            elif said.get("what") in {_DONE, _UNDONE}:
                ended.add(str(said["details"]["intent"]))
        return begun - ended, ended

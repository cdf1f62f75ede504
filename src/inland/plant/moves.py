"""Moves: content of an asset goes to another of the factory's stores, sealed as it is.

It is read from where it lay until all of it lies in the new place, each part opened on its way, and
from there on then; it is booked as moved when nothing of it is left in the old one. What a stop
cuts is gone on with while it is still allowed; what is given up is removed from where it was going.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from threading import Lock
from typing import Any

from inland.domain.assets import Action, AssetState, part_bytes, part_count
from inland.domain.errors import BadInput, Conflict, Damaged, Denied, InlandError, NotFound
from inland.domain.plant import Key
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings, Ruling
from inland.plant.assets import Doing, intend, live, owned, undo
from inland.plant.changes import Changes
from inland.ports.assets import AssetRow, AssetTables, Intent
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeyGone
from inland.ports.stores import Stores
from inland.ports.vault import PartName, Unreadable, Vault

#: Moves that are over and remembered.
REMEMBERED = 1024
#: Stands in an intent that is to be undone, with the reason.
_GIVEN_UP = "given_up"
_ENDED = "the asset is erased"
_GOING = frozenset({AssetState.ERASING, AssetState.ERASED})


class MoveStage(StrEnum):
    """How far a move is."""

    MOVING = "moving"
    MOVED = "moved"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Move:
    """One move, under way or over. `why`: it was undone, or waits. `record`: says that it is over,
    empty where nothing was to be done."""

    asset: str
    source: str
    destination: str
    stage: MoveStage = MoveStage.MOVING
    done_bytes: int = 0
    total_bytes: int = 0
    why: str = ""
    record: str = ""


class Moves:
    """The moves of one factory, each on a thread of its own."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        stores: Stores,
        rulings: AssetRulings,
        claims: Claims,
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """`begin` runs what may take hours on a thread that ends with the process."""
        self._changes = changes
        self._vault = vault
        self._stores = stores
        self._rulings = rulings
        self._claims = claims
        self._begin = begin
        self._lock = Lock()
        self._working: set[str] = set()
        self._last: dict[str, tuple[str, Move]] = {}  # of each asset, and the intent it is of

    def move(self, who: Key, asset: str, to: str) -> Move:
        """Begin to; `last` tells how it goes. To where it still lies: one under way is given up.

        Raises BadInput, Conflict, Denied, NotFound.
        """
        if to not in self._stores.places:
            names = ", ".join(self._stores.places)
            raise BadInput("to", f"there is no store {to!r}: there is {names}")
        with self._changes.store.read() as transaction:
            row = live(transaction.assets, who, asset)
        decided = self._decided(who, row, to)
        with self._changes.act(who.id) as doing:
            row = live(doing[0].assets, who, asset)
            intent = _under_way(doing[0].assets, asset)
            if intent is not None:
                intent = _turned(doing[0].assets, row, intent, to, who)
            elif row.store != to:
                intent = self._intended(doing, row, to, who, decided)
        if intent is None:
            with self._lock:
                self._last[asset] = "", Move(asset, to, to, MoveStage.MOVED)
        else:
            self._know(intent)
            self.settle(intent)
        return self.last(who, asset)

    def last(self, who: Key, asset: str) -> Move:
        """The move under way, or the last since control began. Raises NotFound."""
        with self._changes.store.read() as transaction:
            row = owned(transaction.assets, who, asset)
        with self._lock:
            intent, found = self._last.get(asset, ("", None))
            if found is None:
                raise NotFound(f"move of asset {asset!r}")
            waits = found.stage is MoveStage.MOVING and intent not in self._working
            if waits and row.state in _GOING:
                found = replace(found, stage=MoveStage.UNDONE, why=_ENDED)
                self._last[asset] = intent, found
        return found

    def settle(self, intent: Intent) -> None:
        """Go on with one, unless that is being done; one that is over stays as it ended."""
        with self._lock:
            if intent.id in self._working:
                return
            self._working.add(intent.id)
        try:
            self._begin(lambda: self._run(intent))
        except BaseException:
            self._working.discard(intent.id)
            raise

    def _run(self, intent: Intent) -> None:
        try:
            self._carry_out(intent)
        except (InlandError, OSError) as error:  # it is gone on with
            self._tell(intent, why=str(error))
        finally:
            with self._lock:
                self._working.discard(intent.id)

    def _carry_out(self, intent: Intent) -> None:
        row, given_up = self._stand(intent)
        if row is None:
            return
        self._know(intent)
        source = intent.details["source"]
        if row.store == source and not given_up:
            self._bring(intent, row)
            row, given_up = self._stand(intent)
        if row is None:
            self._tell(intent, stage=MoveStage.UNDONE, why=_ENDED)
        elif row.store == source:
            self._take_back(intent, given_up)
        else:
            self._leave(intent)

    def _bring(self, intent: Intent, row: AssetRow) -> None:
        """Copy all of it, and read it from there; give it up where it may not or cannot be."""
        done = 0
        try:
            for number in range(part_count(row.bytes)):
                if not self._copied(intent, number):
                    return
                done += part_bytes(row.bytes, number)
                self._tell(intent, done_bytes=done, why="")
            self._switch(intent)
        except (Damaged, Denied, KeyGone, NotFound, Unreadable) as error:
            why = {_GIVEN_UP: str(error)}
            with self._changes.store.write() as transaction:
                now = transaction.assets.intent(intent.id)
                if now is not None:
                    transaction.assets.put_intent(replace(now, details=now.details | why))

    def _copied(self, intent: Intent, number: int) -> bool:
        """Whether a part lies there now; not where it was given up or erased meanwhile."""
        with self._claims.part(intent.asset):
            row, given_up = self._stand(intent)
            if row is None or given_up:
                return False
            self._demand(intent, row)
            with self._changes.store.read() as transaction:
                part = transaction.assets.part(row.id, number)
            if part is None:
                raise Damaged(f"asset {row.id}", f"nothing is known of its part {number}")
            name, target = PartName(row.tenant, row.id, number), intent.details["store"]
            is_whole = partial(self._vault.knows, name, part.proof)
            self._stores.copy(name, is_whole, intent.details["source"], target)
        return True

    def _switch(self, intent: Intent) -> None:
        """From here on it is read from where it was brought: nobody reads a part just now."""
        source, target = intent.details["source"], intent.details["store"]
        with self._claims.whole(intent.asset):
            row, _ = self._stand(intent)
            if row is not None:
                self._demand(intent, row)
            with self._changes.store.write() as transaction:
                row, given_up = _stand_of(transaction.assets, intent)
                if row is not None and not given_up:
                    there = replace(row, store=target, other_store=source)
                    transaction.assets.put_asset(there)

    def _leave(self, intent: Intent) -> None:
        """Empty the old place, and book it. Nobody reads from there any more."""
        self._clear(intent.details["source"], intent)
        with self._changes.act(intent.who) as (transaction, book):
            row, _ = _stand_of(transaction.assets, intent)
            if row is None:
                self._tell(intent, stage=MoveStage.UNDONE, why=_ENDED)
                return
            transaction.assets.put_asset(replace(row, other_store=""))
            transaction.assets.remove_intent(intent.id)
            said = {name: intent.details[name] for name in ("source", "store", "bytes")}
            said["destination"] = intent.details["destination"]
            record = book("asset.move", row.id, tenant=row.tenant, intent=intent.id, **said)
        done = intent.details["bytes"]
        self._tell(intent, stage=MoveStage.MOVED, done_bytes=done, why="", record=record)

    def _take_back(self, intent: Intent, why: str) -> None:
        """Nothing of it stays where it was going, and that is booked."""
        self._clear(intent.details["store"], intent)
        with self._changes.act("factory") as doing:
            row, _ = _stand_of(doing[0].assets, intent)
            if row is not None:
                doing[0].assets.put_asset(replace(row, other_store=""))
                undo(doing, intent, row.tenant, why)
        self._tell(intent, stage=MoveStage.UNDONE, why=why)

    def _clear(self, store: str, intent: Intent) -> None:
        numbers = range(part_count(intent.details["bytes"]))
        self._stores.clear(store, intent.asset, numbers)

    def _stand(self, intent: Intent) -> tuple[AssetRow | None, str]:
        with self._changes.store.read() as transaction:
            return _stand_of(transaction.assets, intent)

    def _demand(self, intent: Intent, row: AssetRow) -> None:
        """As it is decided now, for the key that asked. Raises Denied, NotFound."""
        with self._changes.store.read() as transaction:
            who = transaction.state.key(intent.who)
        if who is None:
            raise NotFound(f"key {intent.who!r}")
        self._decided(who, row, intent.details["store"])

    def _decided(self, who: Key, row: AssetRow, to: str) -> Ruling:
        places = self._stores.places
        if to not in places:
            raise BlobsAway(f"{to}: factory.toml does not name it")
        return self._rulings.demand(who, Action.MOVE, row, places[to], places.get(row.store))

    def _intended(self, doing: Doing, row: AssetRow, to: str, who: Key, decided: Ruling) -> Intent:
        facts = {"source": row.store, "store": to, "bytes": row.bytes, **decided.facts()}
        now_us = self._changes.clock.unix_us()
        intent = intend(doing, Action.MOVE, row, who.id, now_us, **facts)
        doing[0].assets.put_asset(replace(row, other_store=to))
        return intent

    def _know(self, intent: Intent) -> None:
        """From here on it is the last of its asset."""
        asset, size = intent.asset, intent.details["bytes"]
        source, target = intent.details["source"], intent.details["store"]
        with self._lock:
            if self._last.get(asset, ("",))[0] == intent.id:
                return
            over = [one for _, one in self._last.values() if one.stage is not MoveStage.MOVING]
            for one in over[: max(0, len(self._last) - REMEMBERED)]:
                del self._last[one.asset]
            self._last[asset] = intent.id, Move(asset, source, target, total_bytes=size)

    def _tell(self, intent: Intent, **news: Any) -> None:
        with self._lock:
            of, known = self._last.get(intent.asset, ("", None))
            if known is not None and of == intent.id:
                self._last[intent.asset] = of, replace(known, **news)


def _stand_of(assets: AssetTables, intent: Intent) -> tuple[AssetRow | None, str]:
    """The asset, None where the move was ended by something else; and why it is given up."""
    now = assets.intent(intent.id)
    if now is None:
        return None, ""
    return assets.asset(intent.asset), str(now.details.get(_GIVEN_UP, ""))


def _under_way(assets: AssetTables, asset: str) -> Intent | None:
    return next((i for i in assets.intents() if (i.asset, i.act) == (asset, Action.MOVE)), None)


def _turned(assets: AssetTables, row: AssetRow, intent: Intent, to: str, who: Key) -> Intent:
    """A move under way that is asked for again, or is to be taken back. Raises Conflict."""
    source, target = intent.details["source"], intent.details["store"]
    if to == target and _GIVEN_UP not in intent.details:
        return intent
    if to == source == row.store:
        why = {_GIVEN_UP: f"taken back by {who.id}"}
        turned = replace(intent, details=intent.details | why)
        assets.put_intent(turned)
        return turned
    why_not = f"it is being moved from {source} to {target}: wait until that is over"
    raise Conflict(f"asset {row.id!r}", why_not)

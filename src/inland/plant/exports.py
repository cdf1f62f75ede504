"""Exports: content leaves part by part, each once a decision with its destination allowed that.

What was intended is booked before the first byte, and how it ended after the last: an export that
nobody ended is booked as not done.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from threading import Lock

from inland.domain.assets import PART_BYTES, Action, Asset, part_bytes, part_count
from inland.domain.errors import BadInput, Conflict, Damaged, NotFound
from inland.domain.places import Place
from inland.domain.plant import Key
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings
from inland.plant.assets import Assets, demand_live, intend, seen, undo
from inland.plant.changes import Changes
from inland.plant.tenants import refuse_beyond
from inland.ports.assets import AssetRow, AssetTables, Intent
from inland.ports.vault import PartName, Vault

#: After this long without a part being read, an export is taken for given up.
QUIET_S = 3600
MAX_RECIPIENT_CHARS = 128


@dataclass(frozen=True, slots=True)
class Export:
    """An export under way."""

    id: str
    asset: Asset
    parts: int
    part_bytes: int = PART_BYTES


@dataclass(frozen=True, slots=True)
class Leaving:
    """Parts on their way out, `bytes` in all, each opened when it is asked for."""

    bytes: int
    each: Generator[memoryview, None, None]


@dataclass(slots=True)
class _Open:
    """What was read of an export since it began. `tenant`: whose key asked, None for staff's."""

    tenant: str | None
    destination: Place
    touched_s: float
    read: set[int] = field(default_factory=set)


class Exports:
    """Exports of one factory; those under way end with the process, and are booked so."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        assets: Assets,
        rulings: AssetRulings,
        claims: Claims,
        most: int,
    ) -> None:
        """`most`: under way by the keys of one tenant."""
        self._changes = changes
        self._most = most
        self._vault = vault
        self._assets = assets
        self._rulings = rulings
        self._claims = claims
        self._open: dict[str, _Open] = {}
        self._lock = Lock()

    def begin(
        self, who: Key, asset: str, destination: Place | None = None, recipient: str = ""
    ) -> Export:
        """Decide and book it. `destination`: where the content goes, None for this site.
        `recipient`: whom the caller will seal it for, as it says itself.

        Raises BadInput, Conflict, Denied, NotFound.
        """
        if len(recipient) > MAX_RECIPIENT_CHARS or not (recipient + "a").isalnum():
            raise BadInput("recipient", "give an age recipient: age1…")
        with self._changes.store.read() as transaction:
            row = seen(transaction.assets, who, asset)
        demand_live(row)
        shown = self._assets.opened(row)
        where = destination or self._rulings.site
        decided = self._rulings.demand(who, Action.EXPORT, row, where)
        facts = {**decided.facts(), "recipient": recipient or None, "bytes": row.bytes}
        with self._changes.act(who.id) as doing:
            demand_live(seen(doing[0].assets, who, asset))
            self._refuse_more(doing[0].assets, who.tenant)
            now_us = self._changes.clock.unix_us()
            intent = intend(doing, Action.EXPORT, row, who.id, now_us, **facts)
            with self._lock:  # before the intent can be read: nobody takes it for one that was left
                opened = _Open(who.tenant, where, self._changes.clock.monotonic())
                self._open[intent.id] = opened
        return Export(intent.id, shown, part_count(row.bytes))

    def give_up(self, who: Key, asset: str, export: str) -> None:
        """Book that it was not done after all. Raises NotFound."""
        row, under_way = self._found(who, asset, export)
        with self._changes.act(who.id) as doing:
            intent = doing[0].assets.intent(export)
            if intent is not None:
                undo(doing, intent, row.tenant, f"given up after {len(under_way.read)} parts")
        self._forget(export)

    def part(self, who: Key, asset: str, export: str, number: int) -> memoryview:
        """The content of a part. Raises as `parts`."""
        (data,) = self.parts(who, asset, export, range(number, number + 1)).each
        return data

    def parts(self, who: Key, asset: str, export: str, numbers: range) -> Leaving:
        """The content of parts. This raises BadInput, Conflict and NotFound; each of them Conflict,
        Damaged, Denied, NotFound and what the vault does: it is decided anew as it is opened."""
        row, _ = self._found(who, asset, export)
        sizes = [part_bytes(row.bytes, number) for number in numbers]
        if not all(sizes):
            raise BadInput("part", f"there are {part_count(row.bytes)}, from 0 on")
        return Leaving(sum(sizes), self._each(who, asset, export, numbers))

    def _each(
        self, who: Key, asset: str, export: str, numbers: range
    ) -> Generator[memoryview, None, None]:
        for number in numbers:
            with self._claims.part(asset):
                row, under_way = self._found(who, asset, export)
                self._rulings.demand(who, Action.EXPORT, row, under_way.destination)
                with self._changes.store.read() as transaction:
                    part = transaction.assets.part(asset, number)
                if part is None:
                    raise Damaged(f"asset {asset}", f"nothing is known of its part {number}")
                data = self._vault.get(PartName(row.tenant, asset, number), part.proof)
            with self._lock:
                under_way.read.add(number)
                under_way.touched_s = self._changes.clock.monotonic()
            yield data

    def finish(self, who: Key, asset: str, export: str) -> str:
        """Book that all of it has left; the id of that record. Raises Conflict, NotFound."""
        row, under_way = self._found(who, asset, export)
        left = part_count(row.bytes) - len(under_way.read)
        if left:
            raise Conflict("the export", f"{left} parts were not read")
        with self._changes.act(who.id) as (transaction, book):
            if transaction.assets.intent(export) is None:
                raise NotFound(f"export {export!r}")
            transaction.assets.remove_intent(export)
            facts = {"tenant": row.tenant, "intent": export, "bytes": row.bytes}
            record = book("asset.export", asset, **facts)
        self._forget(export)
        return record

    def settle(self, intent: Intent) -> None:
        """Book as not done what an earlier process left, and what nobody goes on with."""
        now_s = self._changes.clock.monotonic()
        with self._lock:
            under_way = self._open.get(intent.id)
            quiet = under_way is None or now_s - under_way.touched_s > QUIET_S
        if quiet:
            read = 0 if under_way is None else len(under_way.read)
            why = "the factory stopped" if under_way is None else f"given up after {read} parts"
            with self._changes.act("factory") as doing:
                row = doing[0].assets.asset(intent.asset)
                if doing[0].assets.intent(intent.id) is not None and row is not None:
                    undo(doing, intent, row.tenant, why)
            self._forget(intent.id)

    def _found(self, who: Key, asset: str, export: str) -> tuple[AssetRow, _Open]:
        """The asset and its export, which are that caller's. Raises Conflict, NotFound."""
        with self._changes.store.read() as transaction:
            row = seen(transaction.assets, who, asset)
            intent = transaction.assets.intent(export)
        with self._lock:
            under_way = self._open.get(export)
        if intent is None or under_way is None or (intent.asset, intent.who) != (asset, who.id):
            raise NotFound(f"export {export!r}")
        demand_live(row)
        return row, under_way

    def _refuse_more(self, assets: AssetTables, tenant: str | None) -> None:
        """Inside the transaction that books one more: no other is begun meanwhile. What an erase
        ended is under way no more."""
        known = {intent.id for intent in assets.intents()}
        with self._lock:
            self._open = {name: one for name, one in self._open.items() if name in known}
            there = sum(one.tenant == tenant for one in self._open.values())
        refuse_beyond(self._most, there, "exports_per_tenant")

    def _forget(self, export: str) -> None:
        with self._lock:
            self._open.pop(export, None)

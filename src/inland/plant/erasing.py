"""Erasing: an asset and all that was made of it, keys first, and what certifies that it is done.

What is to go is booked and closed to everybody before anything goes. Whatever stops it, it is gone
on with at the next look, for each step may be done again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from inland.domain.assets import Action, AssetState, part_count
from inland.domain.errors import Conflict, Damaged
from inland.domain.plant import Key
from inland.ledger import canonical
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings, unknown
from inland.plant.assets import Doing, intend, owned, undo
from inland.plant.changes import Changes
from inland.ports.assets import AssetRow, AssetTables, Intent
from inland.ports.keys import KeyGone, KeyWithdrawn
from inland.ports.vault import PartName, Unreadable, Vault

#: Assets that one erase may reach: all of them stand in its record.
MAX_REACH = 10_000
#: Who erases what its retention is over for.
RETENTION = "retention"
_ELSEWHERE = "made by tenants it was shared with: theirs to erase"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erase came to. `record`: the id of the one that certifies it. `kept`: how many assets
    made of it are there still, which `why` tells."""

    asset: str
    record: str
    erased: tuple[str, ...]
    kept: int
    why: str


class Erasing:
    """Erases assets of one factory. One thread works on an asset at a time."""

    def __init__(
        self, changes: Changes, vault: Vault, rulings: AssetRulings, claims: Claims
    ) -> None:
        self._changes = changes
        self._vault = vault
        self._rulings = rulings
        self._claims = claims

    def erase(self, who: Key, asset: str) -> Erased:
        """Returns when nothing of it opens. One that is erased already is certified again.

        Raises NotFound, Conflict, Damaged where something opens still, and what the vault does:
        then it is gone on with until it is done.
        """
        with self._changes.store.read() as transaction:
            row = owned(transaction.assets, who, asset)
        if row.state is AssetState.UPLOADING:
            raise unknown(asset)
        if row.state is not AssetState.ERASED:
            decided = self._rulings.demand(who, Action.ERASE, row)
            self._close(row, who.id, "asked", **decided.facts())
        self._carry_out(asset)
        return self._certified(asset)

    def retire(self, row: AssetRow) -> None:
        """Erase what its retention is over for."""
        self._close(row, RETENTION, f"its retention ended at {row.ends_unix_s}")
        self._carry_out(row.id)

    def settle(self, intent: Intent) -> None:
        """Go on with one that was cut."""
        self._carry_out(intent.asset)

    def _close(self, row: AssetRow, who: str, why: str, **decided: object) -> None:
        """Book the intent and let nobody have any of it any more, in one transaction."""
        with self._changes.act(who) as doing:
            assets = doing[0].assets
            now = assets.asset(row.id)
            if now is None or now.state in {AssetState.ERASING, AssetState.ERASED}:
                return
            reached, kept = _reach(assets, now)
            facts = {"why": why, "erased": [each.id for each in reached], "kept": kept}
            now_us = self._changes.clock.unix_us()
            intend(doing, Action.ERASE, now, who, now_us, **facts, **decided)
            for each in reached:
                _end_others(doing, each)
                assets.put_asset(replace(each, state=AssetState.ERASING))

    def _carry_out(self, asset: str) -> None:
        with self._claims.whole(asset):
            intent = self._intent(asset)
            if intent is None:
                return
            with self._changes.store.read() as transaction:
                rows = transaction.assets.some(intent.details["erased"])
            for row in rows:
                if row.id == asset:
                    self._destroy(row)
                else:
                    with self._claims.whole(row.id):
                        self._destroy(row)
            self._certify(intent, rows)

    def _destroy(self, row: AssetRow) -> None:
        """The key first, then the parts; then nothing may open. Raises Damaged."""
        self._vault.erase(row.tenant, row.id)
        for number in range(part_count(row.bytes)):
            try:
                self._vault.get(PartName(row.tenant, row.id, number))
            except (KeyGone, Unreadable):
                continue
            except KeyWithdrawn:
                self._demand_gone(row)
                return
            raise Damaged(f"asset {row.id}", f"part {number} opens though its key was destroyed")

    def _demand_gone(self, row: AssetRow) -> None:
        """Nothing of a tenant that withdrew its keys can be tried, and they may be given back: so
        neither key nor parts may be there. Raises Damaged."""
        if self._vault.has_key(row.tenant, row.id):
            raise Damaged(f"asset {row.id}", "its key is there though it was destroyed")
        if next(self._vault.parts(row.id), None) is not None:
            raise Damaged(f"asset {row.id}", "parts of it are there though they were removed")

    def _certify(self, intent: Intent, rows: Iterable[AssetRow]) -> None:
        with self._changes.act(intent.who) as (transaction, book):
            gone = list(rows)
            (row,) = [each for each in gone if each.id == intent.asset]
            facts: dict[str, Any] = {
                "tenant": row.tenant,
                "intent": intent.id,
                "asset_kind": row.kind.value,
                "version": row.version,
                "bytes": sum(each.bytes for each in gone),
                "opens": False,
                **intent.details,
            }
            record = book("asset.erase", row.id, **facts)
            for each in gone:
                transaction.assets.put_asset(_emptied(each, record))
                transaction.assets.remove_parts(each.id)
            transaction.assets.remove_intent(intent.id)

    def _certified(self, asset: str) -> Erased:
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(asset)
            record = None if row is None else row.erased_by
            found = None if record is None else transaction.books.log_record(record)
        if record is None or found is None:
            raise Conflict(f"asset {asset!r}", "it is being erased with what it was made from")
        details = canonical.decode(found.record)["details"]
        erased = tuple(details["erased"])
        why = _ELSEWHERE if details["kept"] else ""
        return Erased(asset, record, erased, details["kept"], why)

    def _intent(self, asset: str) -> Intent | None:
        """The erase under way that names this asset first."""
        with self._changes.store.read() as transaction:
            return next(
                (
                    i
                    for i in transaction.assets.intents()
                    if (i.asset, i.act) == (asset, Action.ERASE)
                ),
                None,
            )


def _reach(assets: AssetTables, row: AssetRow) -> tuple[list[AssetRow], int]:
    """It and what was made of it, of its own tenant; and how much of others is left standing."""
    found, kept, frontier, met = [row], 0, {row.id}, {row.id}
    while frontier:
        children = assets.some(assets.children(frontier) - met)
        met |= {child.id for child in children}
        own = [child for child in children if child.tenant == row.tenant]
        kept += sum(
            child.tenant != row.tenant and child.state is not AssetState.ERASED
            for child in children
        )
        found += [child for child in own if child.state is not AssetState.ERASED]
        frontier = {child.id for child in children}  # through what others made of it, too
        if len(found) > MAX_REACH:
            why = f"more than {MAX_REACH} assets were made of it: erase some of these first"
            raise Conflict(f"asset {row.id!r}", why)
    return found, kept


def _end_others(doing: Doing, row: AssetRow) -> None:
    """What else was intended with an asset that goes is not done."""
    for intent in doing[0].assets.intents():
        if intent.asset == row.id and intent.act is not Action.ERASE:
            undo(doing, intent, row.tenant, "the asset is erased")


def _emptied(row: AssetRow, record: str) -> AssetRow:
    """What stays: that there was one, of which kind and size, and what certifies its end."""
    return replace(
        row,
        state=AssetState.ERASED,
        name=b"",
        title=b"",
        digest="",
        resume="",
        ends_unix_s=None,
        shared_with=(),
        other_store="",
        erased_by=record,
    )

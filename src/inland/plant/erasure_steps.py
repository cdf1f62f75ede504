"""The steps of erasures under way: whatever the size of what one reaches, each step is bounded.

First all of it is closed to everybody, which is on the books with the ids; then keys and parts are
destroyed; then records certify that. A step is durable when it returns and may be done again, so
whatever stops an erasure, it is gone on with from where it was.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from inland.domain.assets import Action, AssetKind, AssetState
from inland.domain.errors import Damaged
from inland.plant.asset_claims import Claims
from inland.plant.assets import Doing, undo
from inland.plant.changes import Changes
from inland.ports.assets import AssetRow, AssetTables, Intent
from inland.ports.keys import KeyGone, KeyWithdrawn
from inland.ports.reach import Step
from inland.ports.vault import PartName, Unreadable, Vault

#: Most assets that one transaction closes or one record certifies, and generations it looks at.
AT_ONCE, GENERATIONS = 200, 10
#: Most of what was made of these that it finds at once.
CHILDREN_AT_ONCE = 1_000
#: Keys that one step destroys, and rows of parts that one transaction forgets.
DESTROYED_AT_ONCE, PARTS_AT_ONCE = 32, 5_000
#: What serves or answers by itself, and is retired where what it was made of goes.
RETIRED = frozenset({AssetKind.MODEL, AssetKind.ADAPTER})


class ErasureSteps:
    """The erases of one factory that began and are not done. One thread steps one at a time."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        claims: Claims,
        settle: Callable[[], None],
        let_go: Callable[[], None],
    ) -> None:
        """`settle`: whoever may not hold plaintext any more is gone when it returns. `let_go`: what
        this process handled of it is in its memory no more."""
        self._settle = settle
        self._let_go = let_go
        self._changes = changes
        self._vault = vault
        self._claims = claims
        self._turns = Claims()
        self._is_remembered = True

    def begin(self, asset: str, who: str, why: str, **decided: object) -> None:
        """Book that it is meant and close it to everybody, with the first of what was made of it:
        in one transaction. One that goes already is left."""
        with self._changes.act(who) as doing:
            transaction, book = doing
            row = transaction.assets.asset(asset)
            if row is None or row.state in {AssetState.ERASING, AssetState.ERASED}:
                return
            transaction.reach.add(asset, asset)
            facts = {"act": Action.ERASE.value, "tenant": row.tenant, "why": why}
            ids, whole = self._close(doing, row)
            record = book("asset.intend", asset, **facts, erased=ids, whole=whole, **decided)
            since_s = self._changes.clock.unix_us() // 1_000_000
            intent = Intent(record, asset, Action.ERASE, who, since_s, {"why": why})
            transaction.assets.put_intent(intent)

    def step(self, root: str) -> bool:
        """Bring one on by a step; whether there is more to do of it.

        Raises Busy, Damaged where something opens still, and what the vault does.
        """
        with self._turns.whole(root):
            with self._changes.store.read() as transaction:
                intent = _under_way(transaction.assets, root)
                met = transaction.reach.at(root, Step.MET, 1)
                closed = transaction.reach.at(root, Step.CLOSED, DESTROYED_AT_ONCE)
            if intent is None:
                return False
            if met:
                self._close_more(intent)
            elif closed:
                self._destroy(root, closed)
            else:
                return self._certify(intent)
            return True

    def forget(self) -> None:
        """Have the database keep nothing beside its tables of what went, once a start and for each
        erase; where somebody reads just then, the next call does."""
        if self._is_remembered:
            self._is_remembered = not self._changes.store.forget()

    def _close_more(self, intent: Intent) -> None:
        with self._changes.act(intent.who) as doing:
            row = doing[0].assets.asset(intent.asset)
            assert row is not None
            ids, whole = self._close(doing, row)
            if ids:
                facts = {"act": Action.ERASE.value, "tenant": row.tenant, "intent": intent.id}
                doing[1]("asset.intend", intent.asset, **facts, erased=ids, whole=whole)

    def _close(self, doing: Doing, root: AssetRow) -> tuple[list[str], bool]:
        """Close more of what was met, and meet what was made of it, through what other tenants made
        too. The ids that were closed, and whether that was all.

        Nothing can be made of what is closed: so all that was made of it is met when it is.
        """
        reach, closed, looked = doing[0].reach, list[str](), 0
        for _ in range(GENERATIONS):
            met = reach.at(root.id, Step.MET, AT_ONCE - looked)
            rows = [row for row in doing[0].assets.some(met) if _goes(root, row)]
            closed += _closed(doing, [row for row in rows if row.state is not AssetState.ERASING])
            if reach.add_children(root.id, met, CHILDREN_AT_ONCE) == CHILDREN_AT_ONCE:
                break  # there may be more of these: they stay met
            own = [row.id for row in rows]
            reach.put(root.id, own, Step.CLOSED)
            reach.put(root.id, list(set(met) - set(own)), Step.PASSED)
            looked += len(met)
            if not met or looked >= AT_ONCE:
                break
        return closed, not reach.at(root.id, Step.MET, 1)

    def _destroy(self, root: str, ids: list[str]) -> None:
        self._settle()
        with self._changes.store.read() as transaction:
            rows = transaction.assets.some(ids)
        for row in rows:
            with self._claims.whole(row.id):
                with self._changes.store.read() as transaction:
                    numbers = list(transaction.assets.parts(row.id)) if row.bytes else []
                self._vault.erase(row.tenant, row.id, numbers)
                self._demand_gone(row)
                if row.bytes:
                    self._forget_parts(row.id)
        with self._changes.store.write() as transaction:
            transaction.assets.empty(ids)
            transaction.feedback.empty(ids)
            transaction.reach.put(root, ids, Step.GONE)

    def _demand_gone(self, row: AssetRow) -> None:
        """Neither its key nor a part of it is there, and none opens: keys that are withdrawn may be
        given back. Raises Damaged."""
        where = f"asset {row.id}"
        if self._vault.has_key(row.tenant, row.id):
            raise Damaged(where, "its key is there though it was destroyed")
        if next(self._vault.parts(row.id), None) is not None:
            raise Damaged(where, "parts of it are there though they were removed")
        try:
            self._vault.get(PartName(row.tenant, row.id, 0))
        except (KeyGone, KeyWithdrawn, Unreadable):
            return
        raise Damaged(where, "it opens though its key was destroyed")

    def _forget_parts(self, asset: str) -> None:
        forgotten = PARTS_AT_ONCE
        while forgotten == PARTS_AT_ONCE:
            with self._changes.store.write() as transaction:
                forgotten = transaction.assets.forget_parts(asset, PARTS_AT_ONCE)

    def _certify(self, intent: Intent) -> bool:
        """Book that up to so many are gone, the one it is of last; whether there are more."""
        if not intent.details.get("parts"):
            self._is_remembered = True
            self.forget()
            self._let_go()
        with self._changes.act(intent.who) as (transaction, book):
            reach, root = transaction.reach, intent.asset
            ids = reach.at(root, Step.GONE, AT_ONCE, root_first=False)
            rows = transaction.assets.some(ids)
            (first,) = transaction.assets.some([root])
            facts = {"tenant": first.tenant, "intent": intent.id, "why": intent.details["why"]}
            facts |= {"erased": ids, "retired": [row.id for row in rows if row.kind in RETIRED]}
            told = _told(intent.details, rows)
            more = reach.count(root, Step.GONE) > len(ids)
            if more:
                record = book("asset.erase", root, **facts, opens=False, whole=False)
                told["parts"].append(record)
                reach.put(root, ids, Step.CERTIFIED)
                transaction.assets.put_intent(replace(intent, details=told))
            else:
                facts |= {"asset_kind": first.kind.value, "version": first.version, **told}
                facts |= {"kept": reach.standing(root)}
                record = book("asset.erase", root, **facts, opens=False, whole=True)
                reach.remove(root)
                transaction.assets.remove_intent(intent.id)
            transaction.assets.certify(ids, record)
        return more


def _under_way(assets: AssetTables, root: str) -> Intent | None:
    """The erase of an asset itself."""
    return next((one for one in assets.intents_of([root]) if one.act is Action.ERASE), None)


def _goes(root: AssetRow, row: AssetRow) -> bool:
    """Whether what was met is the tenant's own, and not gone already."""
    return row.tenant == root.tenant and row.state is not AssetState.ERASED


def _closed(doing: Doing, rows: list[AssetRow]) -> list[str]:
    """Nobody gets any of these any more; what else was intended with them is not done."""
    ids = [row.id for row in rows]
    for intent in doing[0].assets.intents_of(ids):
        if intent.act is not Action.ERASE:
            undo(doing, intent, rows[0].tenant, "the asset is erased")
    doing[0].assets.close(ids)
    return ids


def _told(before: dict[str, Any], rows: Iterable[AssetRow]) -> dict[str, Any]:
    """What an erase came to so far, with some more."""
    gone = list(rows)
    kinds = Counter(before.get("kinds", {})) + Counter(row.kind.value for row in gone)
    return {
        "why": before["why"],
        "parts": list(before.get("parts", ())),
        "count": before.get("count", 0) + len(gone),
        "bytes": before.get("bytes", 0) + sum(row.bytes for row in gone),
        "kinds": dict(sorted(kinds.items())),
    }

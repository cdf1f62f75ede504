"""Erasures: what is asked of them, by people and by retention, and what certifies each."""

from dataclasses import dataclass, field
from typing import Any

from inland.domain.assets import Action, AssetState
from inland.domain.errors import Busy, Damaged
from inland.domain.plant import Key
from inland.ledger import canonical
from inland.plant.asset_rulings import AssetRulings, unknown
from inland.plant.assets import owned
from inland.plant.changes import Changes
from inland.plant.erasure_steps import ErasureSteps
from inland.ports.assets import AssetRow, Intent
from inland.ports.books import BookTables

#: Who erases what its retention is over for.
RETENTION = "retention"
#: How long an answer waits for an erase, in seconds: after that it goes on by itself.
ANSWER_S = 20.0
#: Most ids that an answer names.
NAMED = 10_000
_NEWER = "something newer took its place"
_ELSEWHERE = "made by tenants it was shared with: theirs to erase"
_GOES_ON = "it is closed to everybody and goes on by itself: ask again"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erase came to. `record`: the id of the one that certifies it, None while it goes on.
    `erased`: the first `NAMED` of the `count` that went; `kinds`: how many of each. `kept`: how
    many made of it are there still, which `why` tells."""

    asset: str
    record: str | None
    erased: tuple[str, ...] = ()
    count: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    why: str = ""


class Erasures:
    """The erasures of one factory."""

    def __init__(self, changes: Changes, rulings: AssetRulings, steps: ErasureSteps) -> None:
        self._changes = changes
        self._rulings = rulings
        self._steps = steps

    def erase(self, who: Key, asset: str) -> Erased:
        """Returns when nothing of it opens, or after `ANSWER_S` without a record. One that is
        erased already is certified again.

        Raises NotFound, Denied, Damaged where something opens still, and what the vault does: then
        it is gone on with until it is done.
        """
        with self._changes.store.read() as transaction:
            row = owned(transaction.assets, who, asset)
        if row.state is AssetState.UPLOADING:
            raise unknown(asset)
        if row.state is not AssetState.ERASED:
            decided = self._rulings.demand(who, Action.ERASE, row)
            self._steps.begin(asset, who.id, "asked", **decided.facts())
        until_s = self._changes.clock.monotonic() + ANSWER_S
        while True:
            goes_on = self._brought_on(asset) and self._changes.clock.monotonic() < until_s
            done = self._certified(asset)
            if done is not None:
                return done
            if not goes_on:
                return Erased(asset, None, why=_GOES_ON)

    def retire(self, row: AssetRow) -> bool:
        """Erase what its retention is over for, a step of it; whether there is more to do."""
        self._steps.begin(row.id, RETENTION, f"its retention ended at {row.ends_unix_s}")
        return self._steps.step(row.id)

    def supersede(self, row: AssetRow, by: str, why: str = _NEWER) -> None:
        """Close what is of no use any more; it goes by itself, as what is retired."""
        self._steps.begin(row.id, by, why)

    def settle(self, intent: Intent) -> bool:
        """Go on with one; whether there is more to do of it."""
        return self._steps.step(intent.asset)

    def forget(self) -> None:
        """See to it that nothing of what went is left beside the database's tables."""
        self._steps.forget()

    def _brought_on(self, asset: str) -> bool:
        """A step of every erase that reaches an asset; False where none could be made."""
        with self._changes.store.read() as transaction:
            roots = transaction.reach.roots(asset)
        try:
            for root in roots:
                self._steps.step(root)
        except Busy:
            return False
        return bool(roots)

    def _certified(self, asset: str) -> Erased | None:
        """None while it goes on."""
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(asset)
            if row is None or row.erased_by is None:
                return None
            details = _details(transaction.books, row.erased_by)
            erased = list(details["erased"])
            for part in details.get("parts", ()):
                if len(erased) < NAMED:
                    erased += _details(transaction.books, part)["erased"]
        return Erased(
            asset,
            row.erased_by,
            tuple(erased[:NAMED]),
            details.get("count", len(erased)),
            details.get("kinds", {}),
            details.get("kept", 0),
            _ELSEWHERE if details.get("kept") else "",
        )


def _details(books: BookTables, record: str) -> dict[str, Any]:
    """Of a record that certifies an erase. Raises Damaged where the books do not have it."""
    found = books.log_record(record)
    if found is None:
        raise Damaged(f"record {record}", "the books do not have it, and an asset names it")
    details: dict[str, Any] = canonical.decode(found.record)["details"]
    return details

"""Assets: found, listed, shared, labelled anew. Whoever may not see one learns that there is none.

Names and titles are opened here and sealed before they are stored; records of acts name ids alone.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from inland.domain.assets import Action, Asset, AssetState
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import is_name
from inland.domain.labels import EVERYONE, Label, loosened
from inland.domain.lineage import demand_within
from inland.domain.places import UNKNOWN, Place
from inland.domain.plant import Key
from inland.plant.asset_rulings import AssetRulings, closed, unknown
from inland.plant.asset_terms import AssetTerms
from inland.plant.changes import Book, Changes
from inland.ports.assets import AssetRow, AssetTables, Intent
from inland.ports.keys import KeyGone, KeyWithdrawn
from inland.ports.state import StateTables
from inland.ports.store import Transaction
from inland.ports.stores import Stores
from inland.ports.vault import NAME, TITLE, TextName, Unreadable, Vault

DAY_S = 86_400
MAX_NAME_CHARS, MAX_TITLE_CHARS, MAX_SHARES = 200, 1000, 1024

#: A transaction under way, and what books its records.
Doing = tuple[Transaction, Book]


class Assets:
    """The assets of one factory, as far as the holder of a key may know of them."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        rulings: AssetRulings,
        stores: Stores,
        settle: Callable[[], None],
    ) -> None:
        """`settle`: whoever may not hold plaintext any more is gone when it returns."""
        self._settle = settle
        self._changes = changes
        self._vault = vault
        self._rulings = rulings
        self._stores = stores

    def all(self, who: Key, tenant: str | None = None, *, erased: bool = False) -> list[Asset]:
        """Those it may see, or `tenant`'s own, the oldest first; none that is being uploaded."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.assets(who.tenant)
        hidden = {AssetState.UPLOADING} | (set() if erased else {AssetState.ERASED})
        shown = [row for row in rows if row.state not in hidden and may_see(who, row)]
        return [self.opened(row) for row in shown if tenant in {None, row.tenant}]

    def show(self, who: Key, asset: str) -> Asset:
        """Raises NotFound."""
        with self._changes.store.read() as transaction:
            row = seen(transaction.assets, who, asset)
            parents = transaction.assets.some(row.parents)
        if row.state is AssetState.UPLOADING:
            raise unknown(asset)
        visible = {parent.id for parent in parents if may_see(who, parent)}
        return self.opened(
            replace(row, parents=tuple(each for each in row.parents if each in visible))
        )

    def share(
        self, who: Key, asset: str, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> Asset:
        """Let other tenants (`*`: every one) see and use it, or no more. Raises BadInput, NotFound.

        A tenant that is not there (yet) may be named: whether it is, is not told.
        """
        added, removed = set(add), set(remove)
        for tenant in added | removed:
            if tenant != EVERYONE and not is_name(tenant):
                raise BadInput("tenant", f"{tenant!r} is no tenant's name")
        with self._changes.act(who.id) as (transaction, book):
            row = live(transaction.assets, who, asset)
            decided = self._rulings.demand(who, Action.SHARE, row)
            if who.tenant is None:
                _demand_tenants(transaction.state, added)
            shared = tuple(sorted((set(row.shared_with) | added) - removed - {row.tenant}))
            if len(shared) > MAX_SHARES:
                raise BadInput("tenant", f"an asset is shared with at most {MAX_SHARES}")
            if shared != row.shared_with:
                row = replace(row, shared_with=shared)
                transaction.assets.put_asset(row)
                facts = {"tenant": row.tenant, "shared_with": list(shared)}
                book("asset.share", asset, **facts, **decided.facts())
        self._settle()
        return self.opened(row)

    def relabel(self, who: Key, asset: str, terms: AssetTerms) -> Asset:
        """Another label; a decision of its own where it allows more, and the record says in what.
        Never more than what the asset was made of allows.

        Raises BadInput, Denied, NotFound.
        """
        with self._changes.act(who.id) as (transaction, book):
            row = live(transaction.assets, who, asset)
            label = terms.over(row.label)
            parents = transaction.assets.some(
                row.parents
            )  # erased ones too: what they forbid stays
            demand_within(label, row.label, [closed(each) for each in parents])
            more = loosened(label, row.label)
            decided = self._rulings.demand(who, Action.LOOSEN if more else Action.TIGHTEN, row)
            if label != row.label:
                row = replace(row, label=label, ends_unix_s=ends_of(label, row, parents))
                transaction.assets.put_asset(row)
                facts = {"tenant": row.tenant, "role": who.role.value, **label_facts(label)}
                wider = {one.field: [one.was, one.now] for one in more}
                book("asset.label", asset, loosened=wider, **facts, **decided.facts())
        self._settle()
        return self.opened(row)

    def opened(self, row: AssetRow) -> Asset:
        """As it is shown; its name is not where its tenant's keys are withdrawn or gone."""
        name, title = self._unsealed(row, NAME, row.name), self._unsealed(row, TITLE, row.title)
        lies = self._stores.places.get(row.store) or Place(row.store, UNKNOWN, UNKNOWN)
        return replace(closed(row), name=name, title=title, lies=lies)

    def _unsealed(self, row: AssetRow, field: str, sealed: bytes) -> str | None:
        if not sealed:
            return None
        try:
            return self._vault.unseal(TextName(row.tenant, row.id, field), sealed)
        except KeyWithdrawn:
            return None
        except (KeyGone, Unreadable):
            return self._unsealed_older(row.tenant, sealed)

    def _unsealed_older(self, tenant: str, sealed: bytes) -> str | None:
        """One that was not sealed anew yet."""
        try:
            return self._vault.unseal_older(tenant, sealed)
        except (KeyGone, KeyWithdrawn, Unreadable):
            return None


def may_see(who: Key, row: AssetRow) -> bool:
    """Whether the holder of a key may know of an asset."""
    if who.tenant in {None, row.tenant}:
        return True
    shared = EVERYONE in row.shared_with or who.tenant in row.shared_with
    return shared and row.state is AssetState.LIVE


def seen(assets: AssetTables, who: Key, asset: str) -> AssetRow:
    """The asset, if the holder of a key may know of it. Raises NotFound."""
    row = assets.asset(asset)
    if row is None or not may_see(who, row):
        raise unknown(asset)
    return row


def owned(assets: AssetTables, who: Key, asset: str) -> AssetRow:
    """As `seen`, of its own tenant: what is shared is not changed by whom it is shared with."""
    row = seen(assets, who, asset)
    if who.tenant not in {None, row.tenant}:
        raise unknown(asset)
    return row


def live(assets: AssetTables, who: Key, asset: str) -> AssetRow:
    """As `owned`, and not gone. Raises Conflict where it is erased, NotFound while uploading."""
    row = owned(assets, who, asset)
    demand_live(row)
    return row


def demand_live(row: AssetRow) -> None:
    """Raises Conflict where an asset's content is gone or going, NotFound where it is coming."""
    if row.state is AssetState.UPLOADING:
        raise unknown(row.id)
    if row.state is not AssetState.LIVE:
        raise Conflict(f"asset {row.id!r}", f"it is {row.state.value}: its content is gone")


def intend(
    doing: Doing, act: Action, row: AssetRow, who: str, unix_us: int, **details: Any
) -> Intent:
    """Book what is about to be done and remember it, before any of it is."""
    facts = {"act": act.value, "tenant": row.tenant, **details}
    transaction, book = doing
    record = book("asset.intend", row.id, **facts)
    intent = Intent(record, row.id, act, who, unix_us // 1_000_000, details)
    transaction.assets.put_intent(intent)
    return intent


def undo(doing: Doing, intent: Intent, tenant: str, why: str) -> None:
    """Book that what was intended was not done, and forget it."""
    transaction, book = doing
    book("asset.undo", intent.asset, act=intent.act.value, tenant=tenant, intent=intent.id, why=why)
    transaction.assets.remove_intent(intent.id)


def mac(key: bytes, *parts: bytes) -> str:
    """HMAC-SHA-256 over `parts`, each behind its length, in hex."""
    made = hmac.new(key, digestmod="sha256")
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.hexdigest()


def mac_of(key: bytes, length: int) -> hmac.HMAC:
    """`mac` of one part of that length, whose bytes are still to come."""
    return hmac.new(key, length.to_bytes(8, "big"), "sha256")


def ends_unix_s(label: Label, created_unix_us: int) -> int | None:
    """When a label's retention is over for what was made then."""
    if label.retention_days is None:
        return None
    return created_unix_us // 1_000_000 + label.retention_days * DAY_S


def ends_of(label: Label, row: AssetRow, parents: Iterable[AssetRow]) -> int | None:
    """When the retention of what was made of `parents` is over under a label: never after theirs,
    erased or not."""
    own = ends_unix_s(label, row.created_unix_us)
    theirs = [(each.ends_unix_s, ends_unix_s(each.label, each.created_unix_us)) for each in parents]
    return _soonest([own, *(end for ends in theirs for end in ends)])


def _soonest(ends: Iterable[int | None]) -> int | None:
    """The first of some ends; None where there is none."""
    return min((end for end in ends if end is not None), default=None)


def label_facts(label: Label) -> dict[str, object]:
    """The whole of an asset's label as records say it."""
    return {
        "jurisdictions": list(label.jurisdictions),
        "storage": list(label.stored_in),
        "classification": label.classification.value,
        "purposes": [purpose.value for purpose in label.purposes],
        "derived_purposes": [purpose.value for purpose in label.derived_purposes],
        "retention_days": label.retention_days,
    }


def _demand_tenants(state: StateTables, names: set[str]) -> None:
    for name in names - {EVERYONE}:
        if state.tenant(name) is None:
            raise NotFound(f"tenant {name!r}")

"""The vault as people ask for it: how it is, what is wrong in it, and whose keys are withdrawn.

A withdrawal is in the state first, so gateways refuse, and with whoever keeps the keys next; what
stopped in between is finished by `step`. Which keeper is away is known from the last look.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from inland.domain.assets import AssetState, part_count
from inland.domain.errors import Busy, Damaged
from inland.domain.places import Place
from inland.domain.plant import Tenant
from inland.plant.asset_claims import Claims
from inland.plant.changes import Changes
from inland.plant.tenants import found_tenant
from inland.plant.vault_rotation import Rotation
from inland.ports.assets import AssetRow, Part
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeyGone, Keys, KeysAway, KeyWithdrawn, Wrapped
from inland.ports.stores import Stores
from inland.ports.vault import PartName, Unreadable, Vault


@dataclass(frozen=True, slots=True)
class Stored:
    """What the books say of an asset's content. `parts`: how many there are, None while some may
    still come. `stores`: those that some of it may lie in."""

    tenant: str
    parts: int | None
    stores: tuple[str, ...]


class Wrong(StrEnum):
    """What `check` finds."""

    ORPHAN = "orphan"  # content or a key of an asset that is on no books
    MISSING = "missing"  # a part that should be there is not
    DAMAGED = "damaged"  # a part, or a key, that is not what was written
    KEYLESS = "keyless"  # the key is gone, so nothing of it can be read
    WITHDRAWN = "withdrawn"  # it could not be looked at: its tenant withdrew its keys


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `tenant` is empty where nothing says whose it was; `part` is None
    where it is about the whole asset."""

    wrong: Wrong
    tenant: str
    asset: str
    part: int | None = None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """How it is. `keys`, `blobs`: what keeps them; `away`: why one cannot be used, else empty.
    `stores`: every place where content may lie."""

    keys: str
    blobs: str
    keys_away: str
    blobs_away: str
    withdrawn: tuple[str, ...]
    stores: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the vault is made of, and what its two keepers are called. `wrapped`: the keys, where
    they lie under a factory key."""

    keys: Keys
    blobs: Stores
    vault: Vault
    keys_kind: str = "embedded"
    blobs_kind: str = "folder"
    wrapped: Wrapped | None = None


class VaultRoom:
    """The vault of one factory."""

    def __init__(
        self, changes: Changes, parts: Parts, claims: Claims, settle: Callable[[], None]
    ) -> None:
        """`claims`: those that acts on assets make. `settle`: whoever may not hold plaintext any
        more is gone when it returns."""
        self._settle = settle
        self._changes = changes
        self._parts = parts
        self._claims = claims
        self._lock = Lock()
        self._changed = 0
        self._away: dict[str, str] = {}
        self.rotation = Rotation(changes, parts.wrapped)

    def status(self) -> VaultStatus:
        """Asks both keepers."""
        away = _why(self._parts.keys.demand), _why(self._parts.blobs.demand)
        kinds = self._parts.keys_kind, self._parts.blobs_kind
        withdrawn, stores = (
            tuple(sorted(self._withdrawn())),
            tuple(self._parts.blobs.places.values()),
        )
        return VaultStatus(*kinds, *away, withdrawn, stores)

    def away(self) -> dict[str, str]:
        """Why a keeper was away at the last look at it, by what it keeps; asks nobody."""
        return dict(self._away)

    def look_at_keys(self) -> None:
        """Whether they can be had; then `step`, and an end to a rotation that was cut off.

        Raises KeysAway, and Damaged for a key that cannot be put under the new factory key."""
        with self._looking("vault keys"):
            self._parts.keys.demand()
            self.step()
        self.rotation.step()

    def look_at_blobs(self) -> None:
        """Whether they can be had. Raises BlobsAway."""
        with self._looking("vault blobs"):
            self._parts.blobs.demand()

    def withdraw(self, who: str, tenant: str) -> Tenant:
        """Nothing of the tenant opens, no engine and no job holds any of it, and no gateway serves
        it, when it returns.

        Raises NotFound; KeysAway, where its requests are refused already and the keys follow when
        their keeper is back.
        """
        found_tenant(self._changes, tenant)
        self._mark(who, tenant, withdrawn=True)
        with ThreadPoolExecutor(1, "settling") as beside:  # the keeper may answer slowly
            settled = beside.submit(self._settle)
            try:
                with self._changing():
                    self._mark(who, tenant, withdrawn=True)  # it may have been given back meanwhile
                    self._parts.keys.withdraw(tenant)
            finally:
                settled.exception()
                try:
                    self._settle()  # what was decided before, and begun since
                finally:
                    self._changes.wait_current()
        return found_tenant(self._changes, tenant)

    def give_back(self, who: str, tenant: str) -> Tenant:
        """What the tenant has opens again, and it is served. Raises NotFound, KeysAway."""
        found_tenant(self._changes, tenant)
        with self._changing():
            self._parts.keys.give_back(tenant)
            self._mark(who, tenant, withdrawn=False)
        self._settle()
        return found_tenant(self._changes, tenant)

    def step(self) -> None:
        """Make state and keeper agree where a stop or an absence left them apart. A tenant that is
        withdrawn by either is withdrawn. What changes while the keeper is asked is left to the next
        step. Raises KeysAway."""
        changed, there = self._changed, self._parts.keys.withdrawn()
        with self._lock:
            if changed != self._changed:
                return
            here = self._withdrawn()
            for tenant in here - there:
                self._parts.keys.withdraw(tenant)
            for tenant in there - here:
                self._mark("vault", tenant, withdrawn=True)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change of whose keys are withdrawn: what was asked before its end is old."""
        with self._lock:
            try:
                yield
            finally:
                self._changed += 1

    @contextmanager
    def _looking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (KeysAway, BlobsAway) as away:
            self._away[what] = f"away: {away.why}"
            raise
        self._away.pop(what, None)

    def check(self, *, repair: bool) -> Iterator[Finding]:
        """Everything that is wrong; with `repair` what belongs to nobody is removed, and what lies
        where its asset does not once that opens where it does. What is being uploaded meanwhile is
        left alone. Raises KeysAway, BlobsAway."""
        stores = self._parts.blobs
        lying = [(store, asset) for store in stores.places for asset in stores.holds(store)]
        there = list(self._parts.vault.assets())
        known = self._known()  # after what is there: whatever was put since has a row before it
        for tenant, asset in there:
            if asset not in known:
                if repair:
                    self._parts.vault.erase(tenant, asset)
                yield Finding(Wrong.ORPHAN, tenant, asset, repaired=repair)
        for store, asset in lying:
            if asset in known and store not in known[asset].stores:
                yield from self._astray(store, asset, repair=repair)
        for asset, stored in sorted(known.items()):
            yield from self._examined(asset, stored)

    def _astray(self, store: str, asset: str, *, repair: bool) -> Iterator[Finding]:
        """What lies where the asset does not; a move that ended meanwhile took it along."""
        if asset in self._parts.blobs.holds(store):
            row = self._row(asset)
            if row is not None and store not in _lying(row):
                repaired = repair and self._cleared(store, row)
                yield Finding(Wrong.ORPHAN, row.tenant, asset, repaired=repaired)

    def _cleared(self, store: str, row: AssetRow) -> bool:
        """Whether it went from there: only where all of the asset opens where the books say that it
        lies, and they say so still. Of books that are older than it, it may be the only copy."""
        if row.state is not AssetState.LIVE or any(self._examined(row.id, _stored(row))):
            return False
        try:
            with self._claims.whole(row.id):
                now = self._row(row.id)
                if now is None or (now.state, _lying(now)) != (row.state, _lying(row)):
                    return False
                self._parts.blobs.clear(store, row.id, range(part_count(row.bytes)))
        except Busy:
            return False
        return True

    def _examined(self, asset: str, stored: Stored) -> Iterator[Finding]:
        if stored.parts is None:
            return
        there = set(self._parts.vault.parts(asset))
        with self._changes.store.read() as transaction:
            booked = transaction.assets.parts(asset)
        for number in range(stored.parts):
            part = PartName(stored.tenant, asset, number)
            wrong = self._wrong(part, booked.get(number)) if number in there else Wrong.MISSING
            if wrong in {Wrong.KEYLESS, Wrong.WITHDRAWN}:  # of all its parts
                yield Finding(wrong, stored.tenant, asset)
                return
            if wrong is not None:
                yield Finding(wrong, stored.tenant, asset, number)

    def _wrong(self, part: PartName, booked: Part | None) -> Wrong | None:
        """Whether it opens as an export would open it: what no row knows does not."""
        try:
            self._parts.vault.get(part, None if booked is None else booked.proof)
        except (Unreadable, Damaged):
            return Wrong.DAMAGED
        except KeyGone:
            return Wrong.KEYLESS
        except KeyWithdrawn:
            return Wrong.WITHDRAWN
        return Wrong.DAMAGED if booked is None else None

    def _known(self) -> Mapping[str, Stored]:
        """The assets that may have content, by id."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.assets(None)
        return {row.id: _stored(row) for row in rows if row.state is not AssetState.ERASED}

    def _row(self, asset: str) -> AssetRow | None:
        with self._changes.store.read() as transaction:
            return transaction.assets.asset(asset)

    def _withdrawn(self) -> set[str]:
        with self._changes.store.read() as transaction:
            tenants = transaction.state.tenants()
        return {name for name, tenant in tenants.items() if tenant.withdrawn}

    def _mark(self, who: str, tenant: str, *, withdrawn: bool) -> None:
        with self._changes.change(who) as change:
            found = change.state.tenant(tenant)
            if found is not None and found.withdrawn != withdrawn:
                change.state.put_tenant(replace(found, withdrawn=withdrawn))
                change.book("vault.withdraw" if withdrawn else "vault.give-back", tenant)


def _stored(row: AssetRow) -> Stored:
    parts = part_count(row.bytes) if row.state is AssetState.LIVE else None
    return Stored(row.tenant, parts, _lying(row))


def _lying(row: AssetRow) -> tuple[str, str]:
    """The stores that something of it may lie in."""
    return row.store, row.other_store


def _why(demand: Callable[[], None]) -> str:
    """Why a keeper cannot be used, empty where it can."""
    try:
        demand()
    except (KeysAway, BlobsAway) as away:
        return away.why
    return ""

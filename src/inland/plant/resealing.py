"""Names and titles that rest under a key of their tenant's, as they all did once: each is sealed
under its asset's own, and then that key is destroyed: no older copy shows one of them any more."""

from inland.domain.assets import AssetState
from inland.plant.asset_claims import Claims
from inland.plant.changes import Changes
from inland.ports.assets import AssetRow
from inland.ports.keys import KeyGone, KeyWithdrawn
from inland.ports.vault import NAME, TITLE, TextName, Unreadable, Vault

#: Assets that one step seals anew.
AT_ONCE = 32
_GONE = frozenset({AssetState.ERASING, AssetState.ERASED})


class Resealing:
    """What is left of it stands in the database, and soon nothing is. One thread steps it."""

    def __init__(self, changes: Changes, vault: Vault, claims: Claims) -> None:
        self._changes = changes
        self._vault = vault
        self._claims = claims

    def step(self) -> bool:
        """Some more of each tenant's; whether there is more that can be done now."""
        with self._changes.store.read() as transaction:
            tenants = transaction.assets.older_tenants()
        brought_on = [self._brought_on(tenant) for tenant in tenants]
        return any(brought_on)

    def _brought_on(self, tenant: str) -> bool:
        """Not where the tenant's keys are withdrawn: its turn comes when they are given back."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.older(tenant, AT_ONCE)
        try:
            for row in rows:
                with self._claims.part(row.id):
                    self._reseal(row)
        except KeyWithdrawn:
            return False
        if not rows:
            self._vault.forget_older(tenant)
            with self._changes.store.write() as transaction:
                transaction.assets.remove_older(tenant, "")
        return bool(rows)

    def _reseal(self, older: AssetRow) -> None:
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(older.id)
        stays = row is not None and row.state not in _GONE
        name, title = (self._sealed(older, *one) for one in _texts(older)) if stays else (b"", b"")
        with self._changes.store.write() as transaction:
            if stays:
                transaction.assets.put_texts(older.id, name, title)
            transaction.assets.remove_older(older.tenant, older.id)

    def _sealed(self, row: AssetRow, field: str, older: bytes) -> bytes:
        """Empty where nothing opens it any more: a home may be older than its keys."""
        try:
            text = self._vault.unseal_older(row.tenant, older) if older else ""
        except (KeyGone, Unreadable):
            text = ""
        return self._vault.seal(TextName(row.tenant, row.id, field), text) if text else b""


def _texts(row: AssetRow) -> list[tuple[str, bytes]]:
    return [(NAME, row.name), (TITLE, row.title)]

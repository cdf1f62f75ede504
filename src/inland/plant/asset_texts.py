"""Texts that go with an asset: sealed under its own key, they open no longer than it does."""

from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import unknown
from inland.plant.assets import demand_live
from inland.plant.changes import Changes
from inland.ports.vault import TextName, Vault


class AssetTexts:
    """Seals what others keep. Threads may share it."""

    def __init__(self, changes: Changes, vault: Vault, claims: Claims) -> None:
        self._changes = changes
        self._vault = vault
        self._claims = claims

    def seal(self, name: TextName, text: str) -> bytes:
        """Never for one that is going, whose key would be made anew. Raises Busy, Conflict,
        NotFound, and what the vault does."""
        with self._claims.part(name.asset):
            with self._changes.store.read() as transaction:
                row = transaction.assets.asset(name.asset)
            if row is None:
                raise unknown(name.asset)
            demand_live(row)
            return self._vault.seal(name, text)

    def unseal(self, name: TextName, sealed: bytes) -> str:
        """Raises what the vault does."""
        return self._vault.unseal(name, sealed)

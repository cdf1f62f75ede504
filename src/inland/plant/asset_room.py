"""All that is done with assets, put together: each act over the same vault, rulings and claims."""

from dataclasses import dataclass

from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings
from inland.plant.asset_upkeep import AssetUpkeep
from inland.plant.assets import Assets
from inland.plant.changes import Changes
from inland.plant.erasing import Erasing
from inland.plant.exports import Exports
from inland.plant.uploads import Uploads
from inland.ports.vault import Vault


@dataclass(frozen=True, slots=True)
class AssetRoom:
    """The acts on assets of one factory. `upkeep` is a controller of its ticker."""

    known: Assets
    uploads: Uploads
    exports: Exports
    erasing: Erasing
    upkeep: AssetUpkeep


def asset_room(changes: Changes, vault: Vault, site: Place, limits: Limits) -> AssetRoom:
    """Over a vault whose content lies at `site`."""
    claims, rulings = Claims(), AssetRulings(changes, site)
    known = Assets(changes, vault, rulings)
    uploads = Uploads(changes, vault, known, rulings, claims, limits)
    exports = Exports(changes, vault, known, rulings, claims)
    erasing = Erasing(changes, vault, rulings, claims)
    upkeep = AssetUpkeep(changes, uploads, exports, erasing)
    return AssetRoom(known, uploads, exports, erasing, upkeep)

"""All that is done with assets, put together: each act over the same vault, rulings and claims."""

from collections.abc import Callable
from dataclasses import dataclass

from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings
from inland.plant.asset_texts import AssetTexts
from inland.plant.asset_upkeep import AssetUpkeep
from inland.plant.assets import Assets
from inland.plant.changes import Changes
from inland.plant.erasure_steps import ErasureSteps
from inland.plant.erasures import Erasures
from inland.plant.exports import Exports
from inland.plant.feedback import FeedbackRoom
from inland.plant.files import Files
from inland.plant.holders import Holders
from inland.plant.jobs import Jobs
from inland.plant.moves import Moves
from inland.plant.resealing import Resealing
from inland.plant.uploads import Uploads
from inland.ports.jobs import Cells
from inland.ports.plaintext import Memory
from inland.ports.runner import Runner
from inland.ports.stores import Stores
from inland.ports.vault import Vault


@dataclass(frozen=True, slots=True)
class Workers:
    """What works with plaintext: engines, memory, jobs' commands, and what runs `aside`."""

    runner: Runner
    memory: Memory
    cells: Cells
    aside: Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class AssetRoom:
    """The acts on assets of one factory. `upkeep` is a controller of a ticker."""

    known: Assets
    uploads: Uploads
    exports: Exports
    moves: Moves
    erasures: Erasures
    upkeep: AssetUpkeep
    holders: Holders
    jobs: Jobs
    rulings: AssetRulings
    feedback: FeedbackRoom
    texts: AssetTexts
    files: Files
    claims: Claims


def asset_room(
    changes: Changes,
    vault: Vault,
    stores: Stores,
    site: Place,
    limits: Limits,
    begin: Callable[[Callable[[], None]], None],
    workers: Workers,
) -> AssetRoom:
    """Over a vault that is opened at `site`, and the stores that its content lies in. `begin` runs
    what may take long on a thread of its own."""
    claims, rulings = Claims(), AssetRulings(changes, site)
    holders = Holders(changes, vault, rulings, claims, workers.runner, workers.memory)
    known = Assets(changes, vault, rulings, stores, holders.settle)
    uploads = Uploads(changes, vault, known, rulings, claims, limits)
    exports = Exports(changes, vault, known, rulings, claims, limits.exports_per_tenant)
    moves = Moves(changes, vault, stores, rulings, claims, begin)
    steps = ErasureSteps(changes, vault, claims, holders.settle, workers.memory.let_go)
    erasures = Erasures(changes, rulings, steps)
    resealing = Resealing(changes, vault, claims)
    jobs = Jobs(changes, rulings, holders, uploads, workers.cells, limits, workers.aside)
    holders.know(jobs)
    upkeep = AssetUpkeep(changes, uploads, exports, moves, erasures, resealing, jobs)
    return AssetRoom(
        known=known,
        uploads=uploads,
        exports=exports,
        moves=moves,
        erasures=erasures,
        upkeep=upkeep,
        holders=holders,
        jobs=jobs,
        rulings=rulings,
        feedback=FeedbackRoom(changes, vault, known, uploads, rulings, claims, limits),
        texts=AssetTexts(changes, vault, claims),
        files=Files(changes, known, uploads, exports, erasures, rulings),
        claims=claims,
    )

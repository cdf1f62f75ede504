"""Files as OpenAI's API has them: datasets of a tenant, under another name.

What a file is for stands in its label, as for any asset: `PURPOSES` says what of each purpose. So
whatever dataset a tenant has is a file, and what came as a file is decided on as any dataset.
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass

from inland.domain.assets import PART_BYTES, Action, Asset, AssetKind, AssetState
from inland.domain.batches import BATCH_ID
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.labels import Purpose
from inland.domain.plant import Key
from inland.plant.asset_rulings import AssetRulings, as_it_would_be
from inland.plant.asset_terms import AssetTerms
from inland.plant.assets import Assets
from inland.plant.changes import Changes
from inland.plant.erasures import Erasures
from inland.plant.exports import Exports
from inland.plant.tenants import found_tenant
from inland.plant.uploads import NewAsset, Uploads
from inland.ports.assets import AssetRow

#: What stands before an asset's id where it is a file.
FILE = "file-"
FINE_TUNE, BATCH, OUTPUT = "fine-tune", "batch", "batch_output"
#: What may be done with a file that came for a purpose, besides taking it away again.
PURPOSES: dict[str, tuple[Purpose, ...]] = {
    FINE_TUNE: (Purpose.TRAIN, Purpose.EVALUATE, Purpose.EXPORT),
    BATCH: (Purpose.SERVE, Purpose.EXPORT),
}
#: The use that each is decided for before anything of it is kept.
_USES = {FINE_TUNE: Action.TRAIN, BATCH: Action.SERVE}


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file on its way in. `most`: bytes that it has at most. `said`: its purpose, which may be
    known only when all of `pieces` came."""

    tenant: str
    name: str
    most: int
    pieces: Iterable[bytes]
    said: Callable[[], str]


class Files:
    """The files of one factory."""

    def __init__(
        self,
        changes: Changes,
        assets: Assets,
        uploads: Uploads,
        exports: Exports,
        erasures: Erasures,
        rulings: AssetRulings,
    ) -> None:
        self._changes = changes
        self._assets = assets
        self._uploads = uploads
        self._exports = exports
        self._erasures = erasures
        self._rulings = rulings

    def some(self, tenant: str, purpose: str | None) -> list[AssetRow]:
        """A tenant's own, the oldest first."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.assets(tenant)
        return [row for row in rows if _is_file(row, tenant) and purpose in {None, purpose_of(row)}]

    def show(self, tenant: str, file: str) -> AssetRow:
        """Raises NotFound, in the same words for one of another tenant."""
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(file.removeprefix(FILE))
        if row is None or not file.startswith(FILE) or not _is_file(row, tenant):
            raise NotFound(f"file {file!r}")
        return row

    def named(self, row: AssetRow) -> str:
        """What it is called; nothing where its tenant's keys are withdrawn."""
        return self._assets.opened(row).name or ""

    def take(self, who: Key, new: NewFile) -> Asset:
        """Take one in, never more than a part of it in memory; durable when it returns.

        Raises BadInput, Denied, NotFound, and what the vault does: nothing of it is kept then.
        """
        held, begun, number = bytearray(), "", 0
        try:
            for piece in new.pieces:
                held += piece
                while len(held) > PART_BYTES:
                    begun = begun or self._begun(who, new, new.most)
                    self._uploads.put(who, begun, number, bytes(held[:PART_BYTES]))
                    del held[:PART_BYTES]
                    number += 1
            size = number * PART_BYTES + len(held)
            _demand_some(size)
            if begun:
                self._uploads.shorten(who, begun, size)
            else:
                begun = self._begun(who, new, size)
            if held:
                self._uploads.put(who, begun, number, bytes(held))
            return self._uploads.finish(who, begun)
        except BaseException:
            if begun:
                self._uploads.give_up(who, begun)
            raise

    def read(self, who: Key, row: AssetRow) -> Generator[memoryview, None, None]:
        """Its content, which leaves the factory: an export, on the books before and after. Where it
        ends before all of it was asked for, it is booked as not done."""
        export = self._exports.begin(who, row.id)
        try:
            if export.parts:
                yield from self._exports.parts(who, row.id, export.id, range(export.parts)).each
            self._exports.finish(who, row.id, export.id)
        except BaseException:
            with suppress(Conflict, NotFound):  # an erase ended it
                self._exports.give_up(who, row.id, export.id)
            raise

    def erase(self, who: Key, row: AssetRow) -> None:
        """Nothing of it opens any more when it returns, or soon after. Raises as erasures do."""
        self._erasures.erase(who, row.id)

    def _begun(self, who: Key, new: NewFile, size: int) -> str:
        purpose = new.said()
        terms = AssetTerms(purposes=PURPOSES[purpose])
        label = terms.of_new(found_tenant(self._changes, new.tenant).label, [])
        file = as_it_would_be("the-file", new.tenant, AssetKind.DATASET, label)
        self._rulings.demand(who, _USES[purpose], file)
        wanted = NewAsset(new.tenant, AssetKind.DATASET, new.name, size, terms=terms)
        return self._uploads.begin(who, wanted).id


def file_id(asset: str) -> str:
    """How an asset is called as a file."""
    return f"{FILE}{asset}"


def purpose_of(row: AssetRow) -> str:
    """What a file is for, by what made it and by its label."""
    if row.run.startswith(BATCH_ID):
        return OUTPUT
    return FINE_TUNE if Purpose.TRAIN in row.label.purposes else BATCH


def checked_purpose(said: str | None) -> str:
    """Raises BadInput for one that is not there, or that nothing here has a use for."""
    if said not in PURPOSES:
        raise BadInput("purpose", f"give one of {', '.join(PURPOSES)}")
    return said


def _demand_some(size: int) -> None:
    if not size:
        raise BadInput("file", "is empty")


def _is_file(row: AssetRow, tenant: str) -> bool:
    is_there = row.kind is AssetKind.DATASET and row.state is AssetState.LIVE
    return is_there and row.tenant == tenant

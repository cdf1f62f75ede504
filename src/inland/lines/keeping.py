"""What runs make, kept as assets of their tenant: made from what they read, under what all of that
allows now. Of a training's checkpoints the newest two stay, so that one is always whole, and none
once nothing goes on from it any more."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from inland.domain.assets import AssetKind, AssetState, part_bytes, part_count
from inland.domain.errors import Damaged, InlandError
from inland.domain.labels import Label, meet, own_label
from inland.domain.lineage import Parent, derived
from inland.domain.lines import Run, StepKind, StepState
from inland.domain.plant import Model
from inland.plant.asset_room import AssetRoom
from inland.plant.asset_rulings import acting, closed
from inland.plant.asset_terms import AssetTerms
from inland.plant.changes import Changes
from inland.plant.tenants import found_tenant
from inland.plant.uploads import NewAsset
from inland.ports.assets import AssetRow
from inland.ports.lines import LineTables

#: Checkpoints of one run that stay, and runs of its line that are looked at for older ones.
CHECKPOINTS, _LOOKED_AT = 2, 100
#: Pause between two looks for checkpoints that nothing goes on from, in seconds.
LOOK_EVERY_S = 60.0
_OVER = "nothing goes on from it any more"


@dataclass(frozen=True, slots=True)
class Content:
    """What was made, `size` bytes wherever they lie. `read`: so many of them from there on.
    `sha256`: what they must come to, in hex."""

    size: int
    sha256: str
    read: Callable[[int, int], bytes]

    @classmethod
    def of(cls, data: bytes) -> "Content":
        """What is at hand."""
        return cls(len(data), sha256(data).hexdigest(), lambda at, length: data[at : at + length])

    def parts(self) -> Iterator[bytes]:
        """As an asset has them. Raises Damaged behind the last, where they are not what they must
        be."""
        found, at = sha256(), 0
        for number in range(part_count(self.size)):
            part = self.read(at, part_bytes(self.size, number))
            at += len(part)
            found.update(part)
            yield part
        if found.hexdigest() != self.sha256:
            raise Damaged("what was made", "it is not what it was said to be")


@dataclass(frozen=True, slots=True)
class Making:
    """What something is made of: assets, and a base, which may be one."""

    run: Run
    parents: tuple[str, ...]
    base: Model


class Keeper:
    """Keeps what the runs of one factory make. Threads may share it."""

    def __init__(self, changes: Changes, assets: AssetRoom) -> None:
        self._changes = changes
        self._assets = assets
        self._looked_s: float | None = None

    def keep(
        self, making: Making, kind: AssetKind, name: str, content: Content, title: str = ""
    ) -> str:
        """The id of the asset that it is from now on.

        Raises Damaged where the content is not what it must be, Denied, Conflict, and what the
        vault does; then nothing of it is left.
        """
        run, uploads = making.run, self._assets.uploads
        who = acting(run.id, run.tenant)
        wanted = NewAsset(
            tenant=run.tenant,
            kind=kind,
            name=name,
            title=title,
            bytes=content.size,
            terms=_exactly(self._label(making)),
            parents=_lineage(making),
            run=run.id,
        )
        upload = uploads.begin(who, wanted).id
        try:
            for number, part in enumerate(content.parts()):
                uploads.put(who, upload, number, part)
            return uploads.finish(who, upload).id
        except BaseException:
            with contextlib.suppress(InlandError, OSError):  # else nobody goes on with it
                uploads.give_up(who, upload)
            raise

    def made(self, run: Run, kind: AssetKind) -> list[AssetRow]:
        """What it made of that kind and is there still, the oldest first."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.assets(run.tenant)
        found = [row for row in rows if _is_of(row, run.tenant, {run.id}) and row.kind is kind]
        return sorted((row for row in found if row.state is AssetState.LIVE), key=_age)

    def titled(self, row: AssetRow) -> str:
        """What was said of it when it was kept; empty where its keys cannot be had."""
        return self._assets.known.opened(row).title or ""

    def give_up_cut(self, run: Run) -> None:
        """Nothing is left of what it was about to keep when its control died."""
        who = acting(run.id, run.tenant)
        with self._changes.store.read() as transaction:
            cut = transaction.assets.uploads(run.tenant)
        for row in cut:
            if _is_of(row, run.tenant, {run.id}):
                self._assets.uploads.give_up(who, row.id)

    def thin_out(self, run: Run) -> None:
        """Only its newest checkpoints stay."""
        self._supersede(run, self.made(run, AssetKind.CHECKPOINT)[:-CHECKPOINTS])

    def drop(self, run: Run) -> None:
        """None of its checkpoints stays."""
        self._supersede(run, self.made(run, AssetKind.CHECKPOINT))

    def thin_out_before(self, run: Run) -> None:
        """No checkpoint stays of the line's runs that are done."""
        with self._changes.store.read() as transaction:
            others = transaction.lines.runs(run.tenant, run.line, _LOOKED_AT)
            rows = transaction.assets.assets(run.tenant)
        over = {one.id for one in others if one.id != run.id and one.ended_unix_us is not None}
        left = [row for row in rows if row.kind is AssetKind.CHECKPOINT]
        left = [row for row in left if row.state is AssetState.LIVE]
        self._supersede(run, [row for row in left if _is_of(row, run.tenant, over)])

    def step(self) -> None:
        """No checkpoint stays of a run that is forgotten, or has trained: a controller of the
        plant's ticker."""
        now_s = self._changes.clock.monotonic()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        with self._changes.store.read() as transaction:
            rows = transaction.assets.live(AssetKind.CHECKPOINT)
            runs = {row.run for row in rows if row.run}
            left = {run for run in runs if not _trains_on(transaction.lines, run)}
        for row in rows:
            if row.run in left:
                self._assets.erasures.supersede(row, acting(row.run, row.tenant).id, _OVER)

    def _supersede(self, run: Run, rows: Sequence[AssetRow]) -> None:
        for row in rows:
            self._assets.erasures.supersede(row, acting(run.id, run.tenant).id)

    def _label(self, making: Making) -> Label:
        """What all it is made of allows now, the tenant's own label of what is made of nothing that
        anybody labelled. Raises Clash, NotFound."""
        tenant = making.run.tenant
        with self._changes.store.read() as transaction:
            rows = transaction.assets.some(_lineage(making))
        parents: list[Parent] = [making.base, *(closed(row) for row in rows)]
        label = derived(tenant, parents)
        if making.parents:
            return label
        return meet(own_label(found_tenant(self._changes, tenant).label), label)


def _trains_on(tables: LineTables, run: str) -> bool:
    """Whether a run trains, or may yet. One that does not never does again."""
    trained = tables.steps(run).get(StepKind.TRAIN)
    done = trained is not None and trained.state is StepState.DONE
    return tables.run(run) is not None and not done


def _lineage(making: Making) -> tuple[str, ...]:
    base = making.base.asset
    return making.parents if base is None else (*making.parents, base)


def _is_of(row: AssetRow, tenant: str, runs: Sequence[str] | set[str]) -> bool:
    return row.tenant == tenant and row.run in runs


def _age(row: AssetRow) -> tuple[int, int]:
    return row.created_unix_us, row.version


def _exactly(label: Label) -> AssetTerms:
    return AssetTerms(
        jurisdictions=label.jurisdictions,
        storage=label.stored_in,
        classification=label.classification,
        purposes=label.purposes,
        derived_purposes=label.derived_purposes,
        retention_days=label.retention_days,
    )

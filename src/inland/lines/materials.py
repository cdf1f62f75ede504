"""What a line's names stand for just now: the newest versions of its tenant's assets (where it has
none that is called so, of what another shares with it), and what its base serves."""

from collections.abc import Collection
from dataclasses import dataclass

from inland.decide.residency import is_visible
from inland.domain.assets import ASSET, Asset, AssetKind, AssetState
from inland.domain.errors import BadInput
from inland.domain.lines import KeptLine, Material, Materials, Serves, StepKind
from inland.domain.plant import Key, Role
from inland.domain.snapshot import Snapshot
from inland.plant.assets import Assets
from inland.plant.changes import Changes
from inland.plant.release_moves import live_of

#: Who looks, for runs: a member of the tenant, as may see what is shared with it.
_LOOKING = "line"


@dataclass(frozen=True, slots=True)
class _There:
    """What is there under some names for a tenant: its own, and what is shared with it."""

    tenant: str
    assets: list[Asset]

    def meant(self, name: str, kind: AssetKind) -> list[Asset]:
        """All versions of what a name stands for: who shares something under the name of what the
        tenant has itself does not come between."""
        fitting = [one for one in self._named(name) if one.kind is kind]
        return [one for one in fitting if one.tenant == self.tenant] or fitting

    def material(self, name: str, kind: AssetKind, field: str) -> Material:
        """The newest version of it. Raises BadInput where there is none, or where several tenants
        share one, whose versions say nothing of each other."""
        meant = self.meant(name, kind)
        if not meant:
            named = self._named(name)
            wrong = (
                f"{name!r} is of kind {named[0].kind.value}" if named else f"there is no {name!r}"
            )
            why = f"{wrong}: add it with inland asset add FILE --kind {kind.value} --name NAME"
            raise BadInput(field, why)
        owners = sorted({one.tenant for one in meant})
        if len(owners) > 1:
            why = f"{name!r} is shared by {', '.join(owners)}: say which, as {ASSET}ID"
            raise BadInput(field, why)
        newest = max(meant, key=lambda one: (one.version, one.created_unix_us))
        return Material(name, newest.id, newest.version, newest.digest)

    def _named(self, name: str) -> list[Asset]:
        if name.startswith(ASSET):
            return [one for one in self.assets if one.id == name.removeprefix(ASSET)]
        return [one for one in self.assets if one.name == name]


class Shelf:
    """Finds materials by what lines call them."""

    def __init__(self, changes: Changes, assets: Assets) -> None:
        self._changes = changes
        self._assets = assets

    def materials(self, kept: KeptLine) -> Materials:
        """Raises BadInput naming the field of the line whose asset or deployment is not there."""
        line = kept.line
        model, digest = base_of(self._changes.snapshot(), kept.tenant, line.base)
        there = self._there(kept.tenant, line.assets)
        dataset, suite = AssetKind.DATASET, AssetKind.SUITE
        return Materials(
            model,
            digest,
            tuple(there.material(name, dataset, "data.train") for name in line.train),
            tuple(there.material(name, dataset, "data.holdout") for name in line.holdout),
            tuple(
                there.material(one.asset, suite, f"suite[{number}].asset")
                for number, one in enumerate(line.suites, 1)
            ),
            self._serves(kept),
        )

    def has(self, tenant: str, name: str, kind: AssetKind) -> bool:
        """Whether something of that kind is called so, and the tenant's own."""
        meant = self._there(tenant, [name]).meant(name, kind)
        return any(one.tenant == tenant for one in meant)

    def is_new(self, kept: KeptLine, since_unix_us: int) -> bool:
        """Whether one of its names stands for a version that came after that."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.assets(kept.tenant)
        late = [
            row
            for row in rows
            if row.created_unix_us > since_unix_us and row.state is AssetState.LIVE
        ]
        line = kept.line
        called = set(line.assets) & {self._assets.opened(row).name for row in late}
        if not called:
            return False
        there = self._there(kept.tenant, called)
        return any(
            one.created_unix_us > since_unix_us
            for kind, names in (
                (AssetKind.DATASET, {*line.train, *line.holdout}),
                (AssetKind.SUITE, {one.asset for one in line.suites}),
            )
            for name in names & called
            for one in there.meant(name, kind)
        )

    def _serves(self, kept: KeptLine) -> Serves | None:
        if kept.line.release is None:
            return None
        with self._changes.store.read() as transaction:
            live = live_of(transaction.state, kept.tenant, kept.line.release)
            if live is None:
                return None
            trained = transaction.lines.steps(live.evidence.run).get(StepKind.TRAIN)
        if trained is None or trained.outputs.get("adapter") != live.adapter:
            return Serves(live.id, live.adapter, live.digest)
        return Serves(live.id, live.adapter, str(trained.outputs["digest"]))

    def _there(self, tenant: str, names: Collection[str]) -> _There:
        who = Key(_LOOKING, tenant, Role.MEMBER, "")
        found = [one for one in self._assets.all(who) if one.state is AssetState.LIVE]
        return _There(
            tenant, [one for one in found if one.name in names or f"{ASSET}{one.id}" in names]
        )


def base_of(snapshot: Snapshot, tenant: str, base: str) -> tuple[str, str | None]:
    """The model that a deployment serves, and its digest. Raises BadInput."""
    deployment = snapshot.deployments.get(base)
    model = None if deployment is None else snapshot.models.get(deployment.model)
    whose = snapshot.tenants.get(tenant)
    if deployment is None or model is None or whose is None or not is_visible(whose, model):
        raise BadInput("base", f"there is no deployment {base!r}: see inland deploy list")
    return model.id, model.digest

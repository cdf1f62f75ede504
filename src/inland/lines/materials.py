"""What a line's names stand for just now: the newest versions of its tenant's assets, and what its
base serves."""

from collections.abc import Iterable

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
            tuple(_found(there, name, dataset, "data.train") for name in line.train),
            tuple(_found(there, name, dataset, "data.holdout") for name in line.holdout),
            tuple(
                _found(there, one.asset, suite, f"suite[{number}].asset")
                for number, one in enumerate(line.suites, 1)
            ),
            self._serves(kept),
        )

    def has(self, tenant: str, name: str, kind: AssetKind) -> bool:
        """Whether something of that kind is called so, the tenant's own or shared with it."""
        return any(one.kind is kind for one in self._there(tenant, [name]))

    def is_new(self, kept: KeptLine, since_unix_us: int) -> bool:
        """Whether one of its names stands for a version that came after that."""
        with self._changes.store.read() as transaction:
            rows = transaction.assets.assets(kept.tenant)
        named = set(kept.line.assets)
        late = [
            row
            for row in rows
            if row.created_unix_us > since_unix_us and row.state is AssetState.LIVE
        ]
        return any(self._assets.opened(row).name in named for row in late)

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

    def _there(self, tenant: str, names: Iterable[str]) -> list[Asset]:
        """Its own and those shared with it, the oldest first."""
        who = Key(_LOOKING, tenant, Role.MEMBER, "")
        found = [one for one in self._assets.all(who) if one.state is AssetState.LIVE]
        wanted = set(names)
        return [one for one in found if one.name in wanted or f"{ASSET}{one.id}" in wanted]


def base_of(snapshot: Snapshot, tenant: str, base: str) -> tuple[str, str | None]:
    """The model that a deployment serves, and its digest. Raises BadInput."""
    deployment = snapshot.deployments.get(base)
    model = None if deployment is None else snapshot.models.get(deployment.model)
    whose = snapshot.tenants.get(tenant)
    if deployment is None or model is None or whose is None or not is_visible(whose, model):
        raise BadInput("base", f"there is no deployment {base!r}: see inland deploy list")
    return model.id, model.digest


def _found(there: list[Asset], name: str, kind: AssetKind, field: str) -> Material:
    if name.startswith(ASSET):
        named = [one for one in there if one.id == name.removeprefix(ASSET)]
    else:
        named = [one for one in there if one.name == name]
    fitting = [one for one in named if one.kind is kind]
    if not fitting:
        wrong = f"{name!r} is of kind {named[0].kind.value}" if named else f"there is no {name!r}"
        why = f"{wrong}: add it with inland asset add FILE --kind {kind.value} --name NAME"
        raise BadInput(field, why)
    newest = max(fitting, key=lambda one: (one.version, one.created_unix_us))
    return Material(name, newest.id, newest.version, newest.digest)

"""Model assets: known locally by their weights' hash, or only by the server that has them."""

from typing import Any

from inland.domain.assets import ASSET, AssetKind, AssetState
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import is_name
from inland.domain.labels import EVERYONE, public_label
from inland.domain.plant import Model, Tenant
from inland.plant.changes import Change, Changes
from inland.plant.tenants import label_details
from inland.ports.assets import AssetRow


class Models:
    """The model assets of one factory. They are declared, or come with an upstream's deployment."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def all(self) -> list[Model]:
        """Every model, by name."""
        with self._changes.store.read() as transaction:
            return list(transaction.state.models().values())


def local_model(change: Change, name: str) -> Model:
    """The model of that name whose weights are here. Raises NotFound."""
    model = change.state.models().get(name)
    if model is None or model.file is None or model.is_adapter:
        raise NotFound(f"model {name!r} with weights here; declare it in factory.toml")
    return model


def asset_model(change: Change, model: Model) -> Model:
    """`model`, whose weights were looked at and lie in the vault, made one if it is none yet.
    Raises NotFound where its asset went meanwhile."""
    row = change.assets.asset(model.id)
    if row is None or row.state is not AssetState.LIVE:
        raise NotFound(f"asset {model.id!r}")
    if model.id not in change.state.models():
        put_model(change, model, asset=model.id)
    return model


def model_of_asset(row: AssetRow, tenant: Tenant | None, licence: str | None) -> Model:
    """The model whose weights an asset is: whose, for what and for whom as the asset is now. While
    its owner is served nothing, nobody else knows of it."""
    served = tenant is not None and not (tenant.suspended or tenant.withdrawn)
    return Model(
        id=row.id,
        label=row.label,
        shared_with=row.shared_with if served else (),
        digest=f"hmac-sha256:{row.digest}",
        file=f"{ASSET}{row.id}",
        licence=licence,
        is_adapter=row.kind is AssetKind.ADAPTER,
    )


def upstream_model(change: Change, name: str) -> Model:
    """The asset that stands for what an upstream deployment serves, made if there is none.

    Its weights are unknown and everyone may use it; where it is processed is the place's to say.
    Raises BadInput where it is no name, Conflict where a local model has it.
    """
    if not is_name(name):
        raise BadInput("model", f"{name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")
    known = change.state.models().get(name)
    if known is not None:
        if known.file is not None:
            raise Conflict(f"model {name!r}", "it has weights here; choose another name")
        return known
    model = Model(name, public_label(), (EVERYONE,), digest=None)
    put_model(change, model)
    return model


def put_model(change: Change, model: Model, **details: Any) -> None:
    """Write a model and book it, with more of what is known of it."""
    change.state.put_model(model)
    change.book(
        "model.add",
        model.id,
        digest=model.digest,
        owner=model.label.owner,
        shared_with=list(model.shared_with),
        declared=model.declared,
        **label_details(model.label),
        **details,
    )

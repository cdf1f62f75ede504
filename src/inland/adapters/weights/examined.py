"""A model that lies here, examined whole: a file, or a folder of weights and what is with them."""

import json
from pathlib import Path

import msgspec

from inland.adapters.weights.digest import UNPLAIN, is_plain
from inland.adapters.weights.formats.kinds import (
    demand_no_call,
    demand_no_import,
    other_than_weights,
)
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.inspection import Inspected, inspect
from inland.adapters.weights.opened import Opened, opened

#: Of a folder: its files, and the bytes of one that is no weights.
FILES, COMPANION_BYTES = 4096, 256 << 20
#: The one file beside weights that is neither text nor JSON: SentencePiece's tables.
_TABLES = "tokenizer.model"
_CODE = (".py", ".pyc", ".so", ".sh")
#: By such names weights are loaded that run code, or code itself is.
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_WEIGHTS = (".safetensors", ".gguf")


def examined(path: Path, isolation: str) -> tuple[Inspected, int]:
    """What it is, of all its weights together, and its bytes. Raises Refused, naming the file."""
    if not path.is_dir():
        with opened(path) as file:
            return inspect(file, isolation), file.size
    total, size = None, 0
    files = sorted(one for one in path.rglob("*") if not one.is_dir() or one.is_symlink())
    if len(files) > FILES:
        raise Refused(f"has {len(files)} files; at most {FILES}")
    for one in files:
        name = str(one.relative_to(path))
        try:
            _demand_plain(name)
            with opened(one) as file:
                seen = _one(name, file, isolation)
                size += file.size
        except Refused as error:
            raise Refused(f"holds {name!r}, which {error}") from None
        total = _sum(total, seen)
    if total is None:
        raise Refused("holds no weights")
    return total, size


def _demand_plain(name: str) -> None:
    if not is_plain(name):
        raise Refused(UNPLAIN)


def _one(name: str, file: Opened, isolation: str) -> Inspected | None:
    """A file of weights as inspected; None for what goes with them."""
    what = other_than_weights(file.descriptor, file.size)
    ending = name.lower()
    if ending.endswith(_WEIGHTS) or what is None:
        return inspect(file, isolation)
    if ending.endswith(_CODE):
        raise Refused("is code: no model's own code is run here")
    if file.size > COMPANION_BYTES:
        raise Refused(f"is no weights, and has more than {COMPANION_BYTES} bytes")
    if what:
        raise Refused(f"is {what}; weights are GGUF or safetensors")
    if ending.endswith(_PICKLED):
        raise Refused("is named as pickled weights are, and is no weights")
    with open(file.descriptor, "rb", closefd=False) as content:
        _companion(name, content.read(COMPANION_BYTES + 1))
    return None


def _companion(name: str, data: bytes) -> None:
    if Path(name).name == _TABLES:
        demand_no_import(data)
        return
    demand_no_call(data)
    try:
        text = data.decode("utf-8")
        if name.endswith(".json"):
            json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("is neither weights nor what goes with them (text, JSON)") from None


def _sum(total: Inspected | None, more: Inspected | None) -> Inspected | None:
    if total is None or more is None:
        return total or more
    return msgspec.structs.replace(
        total,
        tensors=total.tensors + more.tensors,
        parameters=total.parameters + more.parameters,
        licence=total.licence or more.licence,
        architecture=total.architecture or more.architecture,
    )

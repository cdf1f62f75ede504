"""The child that reads a stranger's weights: it has the one file, no keys and no network.

`python -m inland.adapters.weights.inspector FD SIZE ISOLATION` prints one line of JSON and ends.
"""

import json
import logging
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inland.adapters.isolation.shut_in import shut_in
from inland.adapters.weights.formats import gguf, safetensors
from inland.adapters.weights.formats.kinds import Kind, demand_no_pickle, kind_of
from inland.adapters.weights.formats.window import Refused, Window

CPU_S = 120
#: Beyond the file itself, which is mapped.
MEMORY_BYTES = 4 << 30
DESCRIPTORS = 64
_TEXT_CHARS = 200


def main(argv: list[str]) -> int:
    """Inspect the file behind the descriptor; say what it is, or why it is refused."""
    descriptor, size, isolation = int(argv[1]), int(argv[2]), argv[3]
    _bound(size)
    mapped = Path(f"/proc/self/fd/{descriptor}")
    shut_in(isolation, (mapped,))
    try:
        said = inspected(descriptor, size, mapped)
    except Refused as error:
        said = {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a library says of it, it is refused
        said = {"refused": f"cannot be read: {type(error).__name__}: {error}"[:_TEXT_CHARS]}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


def _bound(size: int) -> None:
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, size + MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        resource.setrlimit(what, (most, most))


def inspected(descriptor: int, size: int, path: Path) -> dict[str, Any]:
    """Its kind, its counts and what it says of itself. Raises Refused, or what a library raises."""
    kind = kind_of(descriptor, size)
    demand_no_pickle(descriptor)
    window = Window(descriptor, size)
    if kind is Kind.SAFETENSORS:
        counts = safetensors.check(window)
        return _said(kind, counts.tensors, counts.parameters, _of_safetensors(path))
    found = gguf.check(window, _blocks())
    return _said(kind, found.tensors, found.parameters, _of_gguf(found.texts))


def _said(kind: Kind, tensors: int, parameters: int, texts: dict[str, Any]) -> dict[str, Any]:
    shown = {name: _text(value) for name, value in texts.items()}
    return {"kind": kind.value, "tensors": tensors, "parameters": parameters, **shown}


def _text(value: Any) -> str:
    """What a stranger's text is shown as: one line, printable, short."""
    text = "".join(one if one.isprintable() else " " for one in str(value or ""))
    return " ".join(text.split())[:_TEXT_CHARS]


def _of_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import safe_open  # noqa: PLC0415 - loaded once the process is shut in

    with safe_open(path, framework="np") as file:
        told = file.metadata() or {}
    licence = told.get("license") or told.get("general.license")
    return {"licence": licence, "name": told.get("modelspec.title"), "architecture": ""}


def _blocks() -> gguf.Blocks:
    logging.disable()
    from gguf.constants import GGML_QUANT_SIZES  # noqa: PLC0415 - as above

    return {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}


def _of_gguf(texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "licence": texts.get("general.license"),
        "name": texts.get("general.name"),
        "architecture": texts.get("general.architecture"),
        "role": texts.get("general.type"),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv))

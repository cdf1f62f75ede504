"""Both verifiers behind one face: the library's, and the single file that imports nothing of it."""

import importlib.util
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.exceptions import InvalidSignature

from inland.ledger import receipts

FILE = Path(__file__).parents[3] / "verifier" / "inland_verify.py"


@dataclass(frozen=True)
class Held:
    """Bytes that read like a file, for a verifier that takes paths."""

    data: bytes

    def read_bytes(self) -> bytes:
        return self.data

    def read_text(self) -> str:
        return self.data.decode()


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inland_verify", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_MODULE = load()


def by_library(data: bytes, vkey: str, kept: receipts.Kept) -> str | None:
    """None when the library's verifier is content, else why it refused."""
    try:
        receipts.verify(data, vkey, kept)
    except receipts.Refused as refused:
        return refused.why or "refused"
    return None


def by_file(data: bytes, vkey: str, kept: receipts.Kept) -> str | None:
    """None when the single file is content, else why it refused."""
    args = Namespace(
        file=Held(data),
        vkey=Held(vkey.encode()),
        entry=kept.entry,
        key=None if kept.key is None else kept.key.hex(),
        input=None if kept.input is None else Held(kept.input),
        output=[Held(text) for text in kept.outputs],
        kept=None if kept.checkpoint is None else Held(kept.checkpoint.encode()),
    )
    try:
        _MODULE.verify(args)
    except (ValueError, InvalidSignature, RecursionError) as refused:
        return str(refused) or "signature"
    return None


VERIFIERS: dict[str, Any] = {"library": by_library, "single-file": by_file}

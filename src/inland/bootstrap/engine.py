"""An engine process: one replica of a deployment, held in before it reads a stranger's byte."""

import json
import os
from dataclasses import replace
from pathlib import Path

from inland import settings
from inland.adapters.home.layout import Home
from inland.adapters.llama_cpp.serve import serve
from inland.adapters.memory.handing import ask
from inland.adapters.processes.protocol import spec_from
from inland.adapters.processes.roles import ENGINE
from inland.adapters.weights.shelf import Shelf
from inland.domain.assets import ASSET
from inland.domain.plant import EngineKind
from inland.ports.runner import EngineSpec


def run_engine(home: Home, spec_json: str) -> int:
    """Serve what `spec_json` asks for, once its weights verify. Raises Damaged where they do not,
    OSError where its isolation is not to be had, Conflict with why control hands over none."""
    spec = spec_from(json.loads(spec_json))
    private = spec.model_file.startswith(ASSET)
    if not private:
        Shelf(home.root).verify(spec.model, Path(spec.model_file), spec.digest)
    if spec.engine == EngineKind.VLLM:
        return _run_vllm(spec)
    handed: list[int] = []
    if private or spec.adapters:
        handed = ask(home.handing_socket, f"{ENGINE}-{spec.replica}", spec.adapters)
    if private:
        spec = replace(spec, model_file=_path(handed.pop(0)))
    _serve(spec, handed)
    return 0


def _serve(spec: EngineSpec, adapters: list[int]) -> None:
    """The engine copies what it reads of an adapter: its memory file is not kept beside that."""

    def loaded() -> None:
        for each in adapters:
            os.close(each)

    serve(replace(spec, adapters=tuple(_path(each) for each in adapters)), loaded)


def _path(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _run_vllm(spec: EngineSpec) -> int:
    from inland.adapters.vllm.serve import serve as serve_vllm

    serve_vllm(spec, settings.from_environment().child_environment)
    return 0

"""An engine process: one replica of a deployment, shut in before it reads a stranger's byte."""

import json

from inland.adapters.llama_cpp.serve import serve
from inland.ports.runner import EngineSpec


def run_engine(spec_json: str, lifeline: int | None) -> int:
    """Serve what `spec_json` asks for. Raises OSError where its isolation is not to be had."""
    raw = json.loads(spec_json)
    serve(EngineSpec(**raw | {"cores": tuple(raw["cores"])}), lifeline)
    return 0

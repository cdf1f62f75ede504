"""The command line and the environment of `vllm serve` for one replica.

Flags are those of version 0.33.0: its `engine/arg_utils.py` and `entrypoints/common/cli_args.py`.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from inland.domain.errors import NotFound
from inland.ports.runner import EngineSpec

PROGRAM = "vllm"
#: What else it is told: nothing it does here may want the network or tell anybody.
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",
}


def program(path: str | None) -> str:
    """The `vllm` on `path`. Raises NotFound."""
    found = shutil.which(PROGRAM, path=path)
    if found is None:
        remedy = "install it in an environment of its own, and put that on PATH before inland up"
        raise NotFound(f"program as {PROGRAM}: {remedy}")
    return found


def command(spec: EngineSpec, run: str) -> list[str]:
    """What is run. Sampling defaults are the dialect's, not those of the model's folder."""
    return [
        *(run, "serve", spec.model_file),
        *("--uds", spec.socket),
        *("--served-model-name", spec.alias),
        *("--max-num-seqs", str(spec.slots)),
        *("--max-model-len", str(spec.context)),
        *("--tensor-parallel-size", str(spec.threads)),
        *("--load-format", "safetensors"),
        *("--generation-config", "vllm"),
        *("--prefix-caching-hash-algo", "sha256_cbor"),
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
    ]


def environment(spec: EngineSpec, given: Mapping[str, str]) -> dict[str, str]:
    """Its environment: what every child has, no network, and only the accelerators that are its."""
    told = {**given, **_ENVIRONMENT}
    if spec.accelerators:
        told["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, spec.accelerators))
    bin_folder = Path(program(given.get("PATH"))).parent
    told["PATH"] = f"{bin_folder}:{given.get('PATH', '')}"
    return told

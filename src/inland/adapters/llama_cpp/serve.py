"""The engine process: llama.cpp serving one replica until it is told to stop.

Two servers on the same weights: one for text, one for vectors (`sockets.py` says why).

It parses strangers' bytes, so before it reads the first of them it is pinned to its cores and shut
in as its orders say; an isolation that cannot be had ends it.
"""

import os
import select
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from inland.adapters.isolation.shut_in import shut_in
from inland.adapters.llama_cpp.sockets import vectors_beside
from inland.adapters.processes.stopping import stop_signal
from inland.ports.runner import EngineSpec

if TYPE_CHECKING:
    import xllamacpp

#: HTTP threads beyond one per slot: for health checks, metrics and callers that wait.
_SPARE_THREADS = 8


def serve(spec: EngineSpec, loaded: Callable[[], None] = lambda: None) -> None:
    """Serve `spec`, whose adapters are files here, until SIGTERM comes. `loaded`: runs once
    adapters are read, whose files may go then.

    Raises OSError where the orders cannot be followed, RuntimeError where the model does not load.
    """
    os.umask(0o077)
    if spec.cores:
        os.sched_setaffinity(0, spec.cores)
    paths = [Path(spec.socket), Path(vectors_beside(spec.socket))]
    _remove(paths)
    stop = stop_signal()
    model = Path(spec.model_file)
    adapters = tuple(Path(each) for each in spec.adapters)
    shut_in(spec.isolation, (model, *adapters), paths[0].parent)
    servers = _start(spec)
    loaded()
    select.select([stop], [], [])
    _remove(paths)
    del servers


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _start(spec: EngineSpec) -> list[object]:
    """The servers; they listen when this returns."""
    import xllamacpp  # noqa: PLC0415 - native code, loaded once the process is shut in

    text = _params(spec, spec.socket, spec.slots)
    text.lora_adapters = _adapters(spec)
    vectors = _params(spec, vectors_beside(spec.socket), 1)
    vectors.embedding = True
    vectors.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    vectors.n_batch = vectors.n_ubatch = spec.context  # a text is averaged in one go
    with ThreadPoolExecutor() as side_by_side:
        return list(side_by_side.map(xllamacpp.Server, (vectors, text)))


def _adapters(spec: EngineSpec) -> "list[xllamacpp.CommonAdapterLoraInfo]":
    """Loaded, and of no effect until a request asks for one: at a scale of 0 none is computed."""
    import xllamacpp  # noqa: PLC0415 - as above

    adapters = []
    for path in spec.adapters:
        one = xllamacpp.CommonAdapterLoraInfo()
        one.path, one.scale = path, 0.0
        adapters.append(one)
    return adapters


def _params(spec: EngineSpec, address: str, slots: int) -> "xllamacpp.CommonParams":
    import xllamacpp  # noqa: PLC0415 - as above

    params = xllamacpp.CommonParams()
    params.model.path = spec.model_file
    params.model_alias = {spec.alias}
    params.hostnames = [address]
    params.n_parallel = slots
    params.n_ctx = slots * spec.context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.threads
    params.n_threads_http = spec.slots + _SPARE_THREADS
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.endpoint_metrics = True
    params.cors_origins = ""
    _keep_prompts_apart(params)
    params.sse_ping_interval = 0
    params.fit_params = False  # it has what was deployed, and no load is spent on what would fit
    params.warmup = False  # whoever proves it has it work before anybody waits for it
    params.ctx_shift = False
    params.offline = True
    return params


def _keep_prompts_apart(params: "xllamacpp.CommonParams") -> None:
    """A slot's prompt stays in that slot: no cache beside them, no choice by likeness, and reuse
    only where a request asks for it."""
    params.cache_ram_mib = params.n_cache_reuse = params.n_ctx_checkpoints = 0
    params.cache_idle_slots = params.cache_prompt = params.kv_unified = False
    params.slot_prompt_similarity = 0.0

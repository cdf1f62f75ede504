"""The engine process: llama.cpp serving one replica until its parent is gone or says stop.

It parses strangers' bytes, so before it reads the first of them it is pinned to its cores and shut
in as its orders say; an isolation that cannot be had ends it.
"""

import os
import select
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from inland.adapters.isolation.shut_in import shut_in
from inland.ports.runner import EngineSpec

if TYPE_CHECKING:
    import xllamacpp

#: HTTP threads beyond one per slot: for health checks, metrics and callers that wait.
_SPARE_THREADS = 8


def serve(spec: EngineSpec, parent: int | None = None) -> None:
    """Serve `spec` until `parent` (the reading end of a pipe) closes or SIGTERM comes.

    Raises OSError where the orders cannot be followed, RuntimeError where the model does not load.
    """
    os.umask(0o077)
    if spec.cores:
        os.sched_setaffinity(0, spec.cores)
    path = Path(spec.socket)
    path.unlink(missing_ok=True)
    stop = _stop_signal()
    model = Path(spec.model_file)
    shut_in(spec.isolation, (model,), path.parent)
    server = _start(spec)
    _wait(parent, stop)
    path.unlink(missing_ok=True)
    del server


def _start(spec: EngineSpec) -> object:
    """The server; it listens when this returns."""
    import xllamacpp  # noqa: PLC0415 - native code, loaded once the process is shut in

    params = xllamacpp.CommonParams()
    params.model.path = spec.model_file
    params.model_alias = {spec.alias}
    params.hostnames = [spec.socket]
    params.n_parallel = spec.slots
    params.n_ctx = spec.slots * spec.context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.threads
    params.n_threads_http = spec.slots + _SPARE_THREADS
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.endpoint_metrics = True
    params.cors_origins = ""
    _keep_prompts_apart(params)
    params.sse_ping_interval = 0
    params.ctx_shift = False
    params.offline = True
    return xllamacpp.Server(params)


def _keep_prompts_apart(params: "xllamacpp.CommonParams") -> None:
    """A slot's prompt stays in that slot: no cache beside them, no choice by likeness, and reuse
    only where a request asks for it."""
    params.cache_ram_mib = params.n_cache_reuse = params.n_ctx_checkpoints = 0
    params.cache_idle_slots = params.cache_prompt = params.kv_unified = False
    params.slot_prompt_similarity = 0.0


def _stop_signal() -> int:
    """A descriptor that becomes readable when SIGTERM comes."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    return reading.detach()


def _wait(parent: int | None, stop: int) -> None:
    watched = [stop] if parent is None else [stop, parent]
    select.select(watched, [], [])

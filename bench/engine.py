"""A bare llama.cpp server: started as a factory starts it, on the same cores, nothing before it."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inland.adapters.llama_cpp.probe import LlamaCppProber
from inland.adapters.llama_cpp.serve import serve
from inland.decide.scheduling import assign_cores
from inland.ports.runner import EngineSpec

START_S = 60.0


def engine_core(threads: int) -> tuple[int, ...]:
    """The cores that a factory gives its one engine here."""
    return assign_cores([threads], tuple(sorted(os.sched_getaffinity(0))))[0]


def cpu_s(pid: int) -> float:
    """Processor seconds a process has used. Raises OSError where it is gone."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def bare(
    alias: str,
    model: Path,
    folder: Path,
    *,
    slots: int,
    context: int,
    threads: int,
    adapters: tuple[str, ...] = (),
) -> Iterator[tuple[int, str]]:
    """It runs inside the block: its process, and where it listens. `folder` is made for it."""
    folder.mkdir()
    address = str(folder / "engine-b.sock")
    spec = EngineSpec(
        "b",
        alias,
        str(model),
        address,
        slots,
        context,
        threads,
        cores=engine_core(threads),
        adapters=adapters,
    )
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(spec,))
    child.start()
    try:
        end = time.monotonic() + START_S
        while LlamaCppProber().prove(address, alias) is None:
            if time.monotonic() > end:
                raise SystemExit("llama.cpp did not start")
            time.sleep(0.1)
        assert child.pid is not None
        yield child.pid, address
    finally:
        child.terminate()
        child.join()

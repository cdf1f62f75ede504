"""What control asks of whoever starts processes: a whole desired set, and what there is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class ProcessState(StrEnum):
    """A child's state as its supervisor sees it."""

    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing-off"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine process to run. Two specs that differ in more than their cores and `nice` are two
    processes: the old one is replaced.

    `engine`: the kind of program. `model_file`: absolute path of its weights, or `asset:ID` of
    those that control hands over in memory. `socket`: the unix
    socket it serves on. `alias`: the deployment's name. `threads`: as the deployment has them.
    `cores`: the CPU numbers it is pinned to, `accelerators`: those it sees; empty means any.
    `nice`: how far it stands back for others, as nice(2) has it, where that can be taken back.
    `isolation` is an order: a process that cannot have it ends. `model`, `digest`: what the factory
    knows its weights as (SHA-256, hex); a process whose weights do not verify as that ends.
    `adapters`: assets that control hands over too, asked for by their place in this list.
    """

    replica: str
    alias: str
    model_file: str
    socket: str
    slots: int
    context: int
    threads: int
    cores: tuple[int, ...] = ()
    isolation: str = "none"
    engine: str = "llama.cpp"
    accelerators: tuple[int, ...] = ()
    model: str = ""
    digest: str = ""
    adapters: tuple[str, ...] = ()
    nice: int = 0


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process in the table. `name` is unique (`gateway-0`); `start`, in clock ticks since boot,
    tells two lives of one pid apart. `why` is how its last life ended. `inland`: the version of
    Inland it runs, where it has said so."""

    name: str
    role: str
    state: ProcessState
    pid: int | None
    start: int | None
    restarts: int
    why: str | None = None
    replica: str | None = None
    inland: str | None = None


class Runner(Protocol):
    """Starts and stops engines to match what is asked; restarts what dies, with back-off."""

    def set_engines(self, specs: tuple[EngineSpec, ...]) -> None:
        """Make exactly these engines run. Idempotent; survives the caller's death."""
        ...

    def end(self, names: tuple[str, ...]) -> None:
        """Kill these engines at once; they are gone when it returns, and started again only where
        `set_engines` asks for them anew. Those that are not there are passed over."""
        ...

    def report_ready(self, name: str, pid: int, inland: str | None = None) -> None:
        """Tell that the process `name` with `pid` works: its back-off starts over.

        `inland`: the version it runs, where it tells so itself.
        """
        ...

    def revive(self, name: str) -> None:
        """Start again a process that was given up."""
        ...

    def processes(self) -> tuple[ProcessView, ...]:
        """Every process of the factory, the supervisor included."""
        ...

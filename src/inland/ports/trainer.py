"""Training: what is ordered of a trainer, where it leaves what it makes, and what it says.

A trainer is a program that reads files and prints an event a line. The same order on the same
machine gives the same bytes, whether it ran through or went on from a checkpoint.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from inland.domain.lines import Method


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """What to train. Paths are of readable files, descriptors among them (`/proc/self/fd/N`).

    `base`: the verified GGUF. `data`, `holdout`, `rehearsal`: examples in JSON Lines; those of
    `rehearsal` are the base's own answers. `threads`: to compute on, of an order that begins: one
    that goes on has as many as it began with. `start_adapter`: go on from this one. `checkpoint`:
    from where an earlier process of the same order was.
    """

    base: str
    data: tuple[str, ...]
    holdout: tuple[str, ...]
    method: Method
    threads: int
    start_adapter: str | None = None
    rehearsal: tuple[str, ...] = ()
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class TrainPlaces:
    """Paths of writable files, of any length or of one that they keep: then what is written is as
    long as the events say. `checkpoints`: two, written in turn, so that one is always whole.
    `adapter`: safetensors with its configuration. `gguf`: the same for llama.cpp."""

    checkpoints: tuple[str, str]
    adapter: str
    gguf: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `loss`: of the answers' tokens, mean of the step. `holdout_loss`: as it was
    last measured, None before the first time."""

    step: int
    steps: int
    loss: float
    holdout_loss: float | None
    tokens_per_s: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was learned until `step` lies whole in `TrainPlaces.checkpoints[place]`."""

    place: int
    step: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Trained:
    """It is done, and both files are whole. `order`: the digest of all that the outcome depends on.
    `steps`: taken, fewer than `planned` where it stopped early. `tokens`: trained on. `parameters`:
    what of it is in no file, versions of libraries among them."""

    order: str
    adapter_sha256: str
    adapter_bytes: int
    gguf_sha256: str
    gguf_bytes: int
    steps: int
    planned: int
    loss: float
    holdout_loss: float | None
    tokens: int
    seconds: float
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """It will not train on this: the data, the base or the adapter is wrong, and how."""

    why: str


TrainEvent = Progress | Checkpoint | Trained | Refused


@dataclass(frozen=True, slots=True)
class TrainerProgram:
    """A trainer that can be begun: its first words, and what it may read besides the system's files
    and those of the Python that runs this."""

    words: tuple[str, ...]
    readable: tuple[str, ...]


class Trainer(Protocol):
    """The trainer of this machine, as a program."""

    def program(self) -> TrainerProgram | None:
        """None where there is none."""
        ...

    def remedy(self) -> str:
        """What brings one here, as a command."""
        ...

    def words(self, order: TrainOrder, places: TrainPlaces) -> tuple[str, ...]:
        """What follows the program's first words."""
        ...

    def event(self, line: str) -> TrainEvent:
        """What a line of it says. Raises ValueError of anything else."""
        ...

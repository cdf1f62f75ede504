"""What the plant asks of whoever brings models in: fetched, inspected, signed, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from inland.domain.plant import Model

#: Called with the bytes done and the bytes there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """A model to bring in as `name`. `source`: `pypi:`, `hf:`, `file:` or `s3:` and what is there.

    `sha256`: what it must hash to (hex), `licence`: what the operator says it is; None and empty
    where nothing was said. `endpoint`: another index, hub or store than the usual; `region`: of a
    store. `secret`: a hub's token, or a store's `ID:SECRET`; kept nowhere.
    """

    name: str
    source: str
    sha256: str | None = None
    licence: str = ""
    endpoint: str = ""
    region: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A model that is here and signed. `file`: its path below the home; `hosts`: whom it came from,
    as host:port; `isolation`: what held in the child that read it first."""

    file: str
    sha256: str
    bytes: int
    licence: str
    kind: str
    tensors: int
    parameters: int
    architecture: str
    isolation: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is kept beside a model's weights. `signature`: `valid` (this factory's, of the digest it
    knows), or why it is not; whether the weights are still those, only `verify` says.
    `inspected_under`: what held in the child that read them first."""

    signature: str
    source: str = ""
    kind: str = ""
    parameters: int = 0
    inspected_under: str = ""


class Intake(Protocol):
    """Calls block."""

    def take(self, order: Order, progress: Progress) -> Arrived:
        """Bring it in. Raises InlandError; then nothing of it is here, or what the same order may
        go on from."""
        ...

    def is_here(self, model: Model) -> bool:
        """Whether its weights lie here, whatever they are now."""
        ...

    def provenance(self, model: Model) -> Provenance:
        """What is kept of a model with weights here."""
        ...

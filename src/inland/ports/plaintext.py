"""Plaintext of assets for engines and jobs: in memory alone, handed over by descriptor."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Plaintext(Protocol):
    """Content in memory that nobody can change; gone once nobody has it open any more.

    `fd`: open for reading. `bytes`: how many there are.
    """

    fd: int
    bytes: int

    def close(self) -> None:
        """Let go of it; may be repeated."""
        ...


class Room(Plaintext, Protocol):
    """Memory that a program is given to write to: zeros at first, as long as it was made for ever,
    whatever is written."""

    def read(self, at: int, length: int) -> bytes:
        """What lies there now."""
        ...


@dataclass(frozen=True, slots=True)
class Clean:
    """Weights that were inspected. `kind`: `gguf` or `safetensors`. `licence`: as they say
    themselves. `isolation`: what held in the child that read them. `role`: `model` or `adapter`, of
    a GGUF that says so."""

    kind: str
    licence: str
    isolation: str
    role: str = ""


class Memory(Protocol):
    """Calls block."""

    def hold(self, size: int, chunks: Iterable[bytes | memoryview]) -> Plaintext:
        """`chunks`, of `size` bytes in all. Raises Busy where there is no room, and what `chunks`
        raises; then nothing of it is left."""
        ...

    def room(self, size: int) -> Room:
        """Memory to write to, of which only what is written takes any. Raises Busy where there is
        hardly any left, OSError."""
        ...

    def inspect(self, file: Plaintext) -> Clean:
        """What the weights are, told by a child with neither keys nor network. Raises BadInput for
        what is no clean weights."""
        ...

    def let_go(self) -> None:
        """What this process handled itself and is done with is in its memory no more when it
        returns, as far as that can be had."""
        ...

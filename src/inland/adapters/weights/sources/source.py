"""A source of weights: brings one file to a path, and says what it knows of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inland.adapters.weights.digest import Progress


@dataclass(frozen=True, slots=True)
class Brought:
    """What a source says of what it brought: `sha256` (hex, None where it says none) and `licence`
    (empty) are its word, not ours. `hosts`: whom it came from, as host:port."""

    sha256: str | None = None
    licence: str = ""
    hosts: tuple[str, ...] = ()


class Source(Protocol):
    """One file to be had."""

    def bring(self, part: Path, most_bytes: int, progress: Progress) -> Brought:
        """The file's bytes in `part`, from where an earlier try was cut if that can be.

        Raises Refused, NotFetched, Denied, BadInput, OSError; what is left in `part` by NotFetched
        the next try may go on from.
        """
        ...

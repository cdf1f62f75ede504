"""Weights that lie on this machine: copied, so that nobody changes them behind our back."""

from dataclasses import dataclass
from pathlib import Path

from inland.adapters.weights.digest import Progress
from inland.adapters.weights.formats.kinds import kind_of
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.opened import opened
from inland.adapters.weights.sources.source import Brought

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileSource:
    """The file at `path`."""

    path: Path

    def bring(self, part: Path, most_bytes: int, progress: Progress) -> Brought:
        """Copied whole, once it looks like weights."""
        with opened(self.path) as file:
            kind_of(file.descriptor, file.size)
            if file.size > most_bytes:
                raise Refused(f"has {file.size} bytes; there is room for {most_bytes}")
            part.unlink(missing_ok=True)
            with open(file.descriptor, "rb", closefd=False) as source, part.open("xb") as target:
                done = 0
                while chunk := source.read(min(_CHUNK_BYTES, file.size - done)):
                    target.write(chunk)
                    done += len(chunk)
                    progress(done, file.size)
        return Brought()

"""What a bundle holds: each file's path, size and SHA-256, as a note signed by whoever made it.

The note comes first, so that a reader knows every byte that may follow. Format: `docs/formats.md`.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from inland.domain.errors import Damaged
from inland.ledger import canonical, notes
from inland.ledger.canonical import Malformed
from inland.ledger.records import Record

FORMAT = "inland-bundle/1"
WHAT = "the bundle"
#: Of one file; of one path; of the note, a line of which is a file.
FILE_BYTES, PATH_CHARS, NOTE_BYTES = 1 << 42, 240, 4 << 20
_DEPTH = 10
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}\Z")
_LINE = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,12}) (\S+)\Z")
_FOLDERS = frozenset({"wheels", "models", "policies"})
_FILES = frozenset({"requirements"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path in the bundle, its bytes and their hash (hex)."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`head`: what the bundle says of itself. `entries` in the order of their paths."""

    head: Record
    entries: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(one.size for one in self.entries)

    def text(self) -> str:
        """As it is signed."""
        lines = [FORMAT, canonical.encode(self.head).decode()]
        lines += [f"{one.sha256} {one.size} {one.path}" for one in self.entries]
        return "".join(f"{line}\n" for line in lines)


def demand_path(path: str) -> None:
    """Raise Damaged for a path that belongs into no bundle: none leads out of it."""
    parts = path.split("/")
    inside = parts[0] in _FOLDERS if len(parts) > 1 else path in _FILES
    good = len(path) <= PATH_CHARS and len(parts) <= _DEPTH and all(map(_PART.match, parts))
    if not inside or not good:
        raise Damaged(WHAT, f"names {path[:80]!r}, which belongs into none")


def opened(note: str, vkey: str) -> Manifest:
    """The manifest in a note signed by that key. Raises Damaged."""
    try:
        lines = notes.open_text(note, vkey, NOTE_BYTES).split("\n")
        if lines[0] != FORMAT:
            raise Damaged(WHAT, f"is of format {lines[0][:40]!r}; this version reads {FORMAT}")
        head = canonical.decode(lines[1].encode())
    except (Malformed, IndexError) as error:
        raise Damaged(WHAT, f"is not signed by that key ({error})") from None
    entries = tuple(_entry(line) for line in lines[2:-1])
    paths = [one.path for one in entries]
    if paths != sorted(set(paths)):
        raise Damaged(WHAT, "names a file twice, or out of order")
    if len({one.casefold() for one in paths}) < len(paths):
        raise Damaged(WHAT, "names a file twice, where capitals are not told apart")
    folders = {str(folder) for one in paths for folder in PurePosixPath(one).parents}
    if not folders.isdisjoint(paths):
        raise Damaged(WHAT, "names a file that is a folder too")
    return Manifest(head, entries)


def _entry(line: str) -> Entry:
    match = _LINE.match(line)
    if match is None:
        raise Damaged(WHAT, f"has the line {line[:80]!r} in its manifest")
    sha256, size, path = match.groups()
    demand_path(path)
    if int(size) > FILE_BYTES:
        raise Damaged(WHAT, f"claims {size} bytes for {path}; at most {FILE_BYTES}")
    return Entry(path, int(size), sha256)

"""Which file systems another machine or another process serves: it sees what is read and written.

Source: proc(5), `mountinfo`. What is not known to be this kernel's own is taken for served.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inland.domain.errors import InlandError

#: On disks of this machine, in its memory, or made of these.
OWN = frozenset(
    (
        "ext2 ext3 ext4 xfs btrfs f2fs jfs nilfs2 reiserfs zfs bcachefs overlay squashfs erofs "
        "iso9660 udf vfat exfat ntfs3 hfs hfsplus tmpfs ramfs devtmpfs proc sysfs"
    ).split()
)
_ESCAPED = re.compile(r"\\([0-7]{3})")
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system of `kind` from `source`, mounted at `point`."""

    point: Path
    kind: str
    source: str

    def __str__(self) -> str:
        return f"{self.point} ({self.kind}, {self.source})"


@dataclass
class LiesThere(InlandError):
    """What is to be read or written is served by somebody."""

    path: Path
    mount: Mount
    remedy: str = field(default="take a disk of this machine")

    def __str__(self) -> str:
        why = "who serves it sees what is read and written there"
        return f"{self.path} lies on {self.mount}: {why}; {self.remedy}"


def mounts(text: str | None = None) -> list[Mount]:
    """As `mountinfo` has them, the later over the earlier; this process' where `text` is None."""
    found = []
    lines = os.fsdecode(_MOUNTS.read_bytes()) if text is None else text
    for line in filter(None, lines.split("\n")):  # a name may hold any other end of a line
        before, _, after = line.partition(" - ")
        kind, source, *_ = after.split(" ")
        found.append(Mount(Path(_plain(before.split(" ")[4])), kind, _plain(source)))
    return found


def covered(paths: Iterable[Path], text: str | None = None) -> tuple[Mount, ...]:
    """What is served below `paths`, and is to be covered. Raises LiesThere for one that is itself.

    `text`: as `mountinfo` has it; this process' where None.
    """
    there = mounts(text)
    found: list[Mount] = []
    for path in paths:
        over = [one for one in there if path.is_relative_to(one.point)]
        under = max(over, key=lambda one: len(one.point.parts), default=None)
        last = [one for one in over if under is not None and one.point == under.point][-1:]
        if last and last[0].kind not in OWN:
            raise LiesThere(path, last[0])
        found += [
            one
            for one in there
            if one.kind not in OWN and one.point != path and one.point.is_relative_to(path)
        ]
    return tuple(dict.fromkeys(found))


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)

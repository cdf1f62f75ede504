"""Whether a home keeps its secrets to itself: owner and modes of what must be private."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from inland.adapters.host.findings import Finding, Health, good

#: Folders whose every entry is for the owner alone.
PRIVATE = ("keys", "run", "journal", "records")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: Wrong entries that are named; the rest are counted.
_NAMED = 3


def private(home: Path) -> Finding:
    """Nothing private may be open to others, or belong to someone else."""
    wrong = [path for path in _entries(home) if _is_open(path)]
    if not wrong:
        return good("permissions", "private")
    named = ", ".join(str(path.relative_to(home)) for path in wrong[:_NAMED])
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    remedy = f"chmod -R go= {home}, and see that all of it belongs to the factory's user"
    return Finding("permissions", Health.BAD, f"open to others: {named}{more}", remedy)


def _entries(home: Path) -> Iterator[Path]:
    """The home's own files and all below its private folders. An open folder is told, not its
    entries: nobody gets past a private one."""
    for name in PRIVATE:
        folder = home / name
        if folder.is_dir():
            yield folder
            yield from (
                Path(at) / one for at, dirs, names in os.walk(folder) for one in names + dirs
            )
    yield from (path for path in home.glob("inland.db*") if path.is_file())


def _is_open(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:  # a journal's segment may go at any time
        return False
    return bool(found.st_mode & _OTHERS) or found.st_uid != os.geteuid()

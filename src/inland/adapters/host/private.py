"""Whether a home keeps its secrets to itself: owner and modes of all that lies in it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from inland.adapters.host.findings import Finding, Health, good

#: Where anything open to others is bad; elsewhere it is warned of.
SECRET = ("keys", "run", "journal", "records", "vault", "logs", "backups", "inland.db")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH
#: Wrong entries that are named; the rest are counted.
_NAMED = 3


def private(home: Path) -> Finding:
    """Nothing in the home may be open to others, or belong to someone else."""
    owner = home.stat().st_uid
    entries = list(_entries(home))
    strangers = [path for path, found in entries if found.st_uid != owner]
    if strangers:
        remedy = f"chown -R {owner} {home}: all of it belongs to whoever runs the factory"
        return Finding("permissions", Health.BAD, _named("of others: ", strangers, home), remedy)
    exposed = [path for path, found in entries if _is_open(found)]
    secret = [path for path in exposed if _is_secret(path.relative_to(home))]
    wrong, health = (secret, Health.BAD) if secret else (exposed, Health.WARN)
    if wrong:
        remedy = f"chmod -R go= {home}"
        return Finding("permissions", health, _named("open to others: ", wrong, home), remedy)
    return good("permissions", f"{len(entries)} files and folders are private")


def ancestors(home: Path) -> Finding:
    """Whoever may write a folder above the home may put another home in its place."""
    for folder in home.resolve().parents:
        found = folder.stat()
        if found.st_mode & _WRITABLE and not found.st_mode & stat.S_ISVTX:
            remedy = f"chmod go-w {folder}, or move the home: others may replace it there"
            return Finding("folders above", Health.BAD, f"{folder} is writable by others", remedy)
    return good("folders above", "nobody else may replace the home")


def _is_secret(path: Path) -> bool:
    """Whether others reading it is bad: a policy's text is no secret, a key is."""
    return bool(path.parts) and path.parts[0].startswith(SECRET)


def _entries(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The home and all below it, links as themselves. What goes meanwhile is passed over."""
    folders = [home]
    yield home, home.stat()
    while folders:
        try:
            found = list(folders.pop().iterdir())
        except FileNotFoundError:
            continue
        for path in found:
            try:
                facts = path.lstat()
            except FileNotFoundError:  # a journal's segment may go at any time
                continue
            if stat.S_ISDIR(facts.st_mode):
                folders.append(path)
            yield path, facts


def _is_open(found: os.stat_result) -> bool:
    return not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & _OTHERS)


def _named(what: str, wrong: list[Path], home: Path) -> str:
    named = ", ".join(str(path.relative_to(home)) for path in wrong[:_NAMED])
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return f"{what}{named}{more}"

"""The books of a home: its database, its files, what checks them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from inland.adapters.files.disk import Disk
from inland.adapters.sql.database import Database, sqlite_url
from inland.plant.books.check import check

#: The first part of a site log's origin; the rest of it is random.
FACTORY = "factory"


@dataclass(frozen=True, slots=True)
class Checked:
    """What `ledger check` found: `problems`, none when the books agree, and what was re-read."""

    problems: tuple[str, ...]
    counted: dict[str, int]


def database(home: Path) -> Database:
    """The factory's database; made where there is none."""
    return Database(sqlite_url(home / "inland.db"))


def check_ledger(home: Path) -> Checked:
    """Prove that the books of `home` agree, beside a running factory or without one."""
    store = database(home)
    try:
        report = check(Disk(home), store)
    finally:
        store.close()
    counted = {k: v for k, v in asdict(report).items() if isinstance(v, int)}
    more = counted.pop("more_findings")
    problems = tuple(report.findings) + ((f"and {more} more",) if more else ())
    return Checked(problems, counted)

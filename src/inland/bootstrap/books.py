"""The books of a home: its database, its files, what checks them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.uses import Uses
from inland.adapters.files.disk import Disk
from inland.adapters.files.policies import PolicyFiles
from inland.adapters.home import factory_toml, upstream_keys
from inland.adapters.sql.database import Database, found_revision, postgresql_url, sqlite_url
from inland.adapters.sql.migrations import REVISION
from inland.adapters.sql.way import Way, endpoints_of, is_network
from inland.bootstrap.ways_out import DatabaseRules, DatabaseWay, name_endpoints
from inland.domain.errors import NotFound
from inland.ledger import canonical, notes
from inland.ledger.rotation import LOG_ROTATE
from inland.plant.books.check import check
from inland.ports.books import BookTables, Log

#: The first part of a site log's origin; the rest of it is random.
FACTORY = "factory"


@dataclass(frozen=True, slots=True)
class Checked:
    """What `ledger check` found: `problems`, none when the books agree, and what was re-read."""

    problems: tuple[str, ...]
    counted: dict[str, int]


def database(home: Path, *, read_only: bool = False, way: Way | None = None) -> Database:
    """The factory's database; made where there is none, unless only for reading.

    `way`: to a server, as control has it; else the policy folder says whether it may be reached.
    """
    url = database_url(home)
    if read_only and not _is_there(url):
        raise NotFound(f"database in {home}; start the factory once")
    return Database(url, read_only=read_only, way=way or _way(home, url))


def endpoints(home: Path) -> tuple[tuple[str, int], ...]:
    """Host and port of the servers that the database is on, by a network. Raises BadInput."""
    url = database_url(home)
    if url.get_backend_name() == "sqlite":
        return ()
    _, told = url.get_dialect()().create_connect_args(url)
    return tuple(one for one in endpoints_of(dict(told)) if is_network(one[0]))


def endpoint_urls(home: Path) -> tuple[str, ...]:
    """The same as URLs, which the policy set has to name."""
    named = [(f"[{host}]" if ":" in host else host, port) for host, port in endpoints(home)]
    return tuple(f"postgresql://{host}:{port}" for host, port in named)


def way_to_database(home: Path, uses: Uses) -> DatabaseWay | None:
    """Control's way to a server, named in the policy folder; None where none is by a network."""
    named = endpoints(home)
    if not named:
        return None
    name_endpoints(PolicyFiles(home / "policies"), named)
    rules = DatabaseRules(home)
    return DatabaseWay(rules, Way(BlockingDoor(rules.may_connect, uses=uses)))


def _way(home: Path, url: URL) -> Way | None:
    if url.get_backend_name() == "sqlite":
        return None
    return Way(BlockingDoor(DatabaseRules(home).may_connect))


def database_url(home: Path) -> URL:
    """`inland.db` in the home, or the server that its factory.toml names. Raises BadInput."""
    try:
        server = factory_toml.read(home / "factory.toml").database
    except NotFound:
        server = None
    if server is None:
        return sqlite_url(home / "inland.db")
    file = server.password_file
    return postgresql_url(server.url, None if file is None else upstream_keys.password(file))


def _is_there(url: URL) -> bool:
    """Whether a file is; a server says for itself."""
    return url.get_backend_name() != "sqlite" or Path(str(url.database)).exists()


def schema(home: Path) -> tuple[str | None, str]:
    """The revision of the home's database (None: it has none yet), and the newest one.

    Raises Conflict where a newer Inland made it, and Damaged.
    """
    url = database_url(home)
    found = found_revision(url, _way(home, url)) if _is_there(url) else None
    return found, REVISION


def check_ledger(home: Path) -> Checked:
    """Prove that the books of `home` agree, beside a running factory or without one."""
    store = database(home, read_only=True)
    try:
        report = check(Disk(home), store)
    finally:
        store.close()
    counted = {k: v for k, v in asdict(report).items() if isinstance(v, int)}
    more = counted.pop("more_findings")
    problems = tuple(report.findings) + ((f"and {more} more",) if more else ())
    return Checked(problems, counted)


def log_keys(home: Path) -> list[dict[str, Any]]:
    """Every log of `home`, the oldest first: its name, public key, entries signed, how it ended."""
    store = database(home, read_only=True)
    try:
        with store.read() as transaction:
            logs = transaction.books.logs()
            ends = [_end(transaction.books, log) for log in logs[:-1]]
    finally:
        store.close()
    return [
        {
            "log": log.origin,
            "vkey": notes.vkey(log.origin, log.public_key),
            "entries": log.checkpoint.size if log.checkpoint else 0,
            "ended": ended,
        }
        for log, ended in zip(logs, [*ends, None], strict=True)
        if log.checkpoint or not ended
    ]


def _end(books: BookTables, log: Log) -> str:
    """Why a log ended: as its last record says, or because another took its place unannounced."""
    size = books.log_size(log.number)
    last = books.log_records(log.number, max(size - 1, 0), size)
    said = canonical.decode(last[0].record) if last else {}
    return str(said["details"]["why"]) if said.get("what") == LOG_ROTATE else "replaced"

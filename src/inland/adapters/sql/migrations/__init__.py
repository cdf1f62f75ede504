"""The schema's history, as Alembic revisions; `migrate` brings a database up to the newest one."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from inland.adapters.sql import assets, batches, billing, books, feedback, lines, reach, state
from inland.domain.errors import Conflict, Damaged

#: The newest revision: a database that has it is left alone, without loading Alembic.
REVISION = "0015"
#: Where the revisions lie, a file each.
VERSIONS = Path(__file__).parent / "versions"
#: The modules whose tables the schema is made of.
TABLES = (assets, batches, billing, books, feedback, lines, reach, state)

_VERSION_TABLE = "alembic_version"


def migrate(connection: Connection) -> None:
    """Bring the schema up to date inside the caller's transaction: wholly or not at all.

    Raises Conflict when the database was made by a newer Inland.
    """
    if revision(connection) == REVISION:
        return
    from alembic import command  # noqa: PLC0415 - a third of a second that most starts do not need
    from alembic.config import Config  # noqa: PLC0415

    refuse_newer(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(VERSIONS))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)


def revision(connection: Connection) -> str | None:
    """The revision of a database; None before the first."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608
    number: str | None = found.scalar_one_or_none()
    return number


def refuse_newer(connection: Connection) -> None:
    """Raise Conflict for a database of a revision that this version does not know."""
    found = revision(connection)
    if found is None or any(file.name.startswith(f"{found}_") for file in VERSIONS.glob("*.py")):
        return
    raise Conflict(
        "the database",
        f"a newer Inland made it (schema {found}, this one knows up to {REVISION}): start it with "
        "that version or a later one; nothing was changed",
    )


def demand_newest(connection: Connection) -> None:
    """Raise unless the schema is the newest: for readers, who change nothing."""
    refuse_newer(connection)
    found = revision(connection)
    if found != REVISION:
        why = f"its schema is {found or 'none'}, not {REVISION}: start the factory once"
        raise Damaged("the database", why)

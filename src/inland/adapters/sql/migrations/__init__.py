"""The schema's history, as Alembic revisions; `migrate` brings a database up to the newest one."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from inland.adapters.sql import books, state
from inland.domain.errors import Damaged

#: The newest revision: a database that has it is left alone, without loading Alembic.
REVISION = "0001"
#: The modules whose tables the schema is made of.
TABLES = (books, state)

_VERSIONS = "alembic_version"


def migrate(connection: Connection) -> None:
    """Bring the schema up to date inside the caller's transaction: wholly or not at all.

    Raises Damaged when the database was made by a newer Inland.
    """
    if _revision(connection) == REVISION:
        return
    from alembic import command  # noqa: PLC0415 - a third of a second that most starts do not need
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, REVISION)
    except CommandError as error:
        raise Damaged("the database", f"its schema is not of this version ({error})") from error


def demand_newest(connection: Connection) -> None:
    """Raise Damaged unless the schema is the newest: for readers, who change nothing."""
    found = _revision(connection)
    if found != REVISION:
        why = f"its schema is {found or 'none'}, not {REVISION}: start the factory once"
        raise Damaged("the database", why)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSIONS):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSIONS}"))  # noqa: S608 - ours
    revision: str | None = found.scalar_one_or_none()
    return revision

"""The schema's history; `migrate` brings a database up to its newest revision."""

from sqlalchemy import Connection

from inland.adapters.sql import books, state
from inland.adapters.sql.schema_base import metadata

#: The modules whose tables the schema is made of.
TABLES = (books, state)


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, inside the caller's transaction."""
    metadata.create_all(connection)

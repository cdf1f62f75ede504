"""INSERT that replaces the row with the same primary key, or adds to it: one text for both."""

from typing import Any

from sqlalchemy import Table, text


def upsert(table: Table, *, add: bool = False) -> Any:
    """INSERT that replaces (or adds to) the row with the same primary key."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key.columns]
    rest = [name for name in names if name not in keys]
    changes = (
        [f'"{n}" = "{table.name}"."{n}" + excluded."{n}"' for n in rest]
        if add
        else [f'"{n}" = excluded."{n}"' for n in rest]
    )
    quoted = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f":{name}" for name in names)
    conflict = ", ".join(f'"{name}"' for name in keys)
    return text(
        f'INSERT INTO "{table.name}" ({quoted}) VALUES ({values}) '  # noqa: S608 - our own names
        f"ON CONFLICT ({conflict}) DO UPDATE SET {', '.join(changes)}"
    )

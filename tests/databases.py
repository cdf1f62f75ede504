"""An empty database with its schema, made once in a process and copied for each test.

That migrations make it is the law of `tests/unit/books/test_database.py`, from an empty file.
"""

import tempfile
from functools import cache
from pathlib import Path

from inland.adapters.sql.database import Database, sqlite_url


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inland.db"
        Database(sqlite_url(file), synchronous="OFF").close()
        return file.read_bytes()


def put(file: Path) -> None:
    """An empty database in `file`, private, unless there is one."""
    if not file.exists():
        file.touch(0o600)
        file.write_bytes(_empty())

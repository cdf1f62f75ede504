"""A real PostgreSQL for a test: its own process and folder, a unix socket, no root.

Where it is asked for, an address of loopback's that nobody else has, and the usual port there.
"""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from inland.adapters.sql.database import Database
from tests.patience import PATIENCE_S, until

#: Debian's `nobody`: the server refuses to run as root.
UNPRIVILEGED = 65534
START_S = PATIENCE_S
_LOCKED = """SELECT FROM pg_locks WHERE locktype = 'advisory'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@dataclass
class Server:
    """A running server; `database` makes a fresh, empty one."""

    folder: Path
    programs: Path
    made: int = 0
    grown: str | None = None
    address: str = ""

    def url(self, name: str = "postgres") -> URL:
        return URL.create(
            "postgresql+psycopg", username="inland", database=name, query={"host": str(self.folder)}
        )

    def database(self) -> URL:
        self.made += 1
        name = f"test{self.made}"
        self._sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def with_schema(self) -> URL:
        """A fresh database with its schema: a copy of one that migrations made."""
        if self.grown is None:
            url = self.database()
            Database(url).close()
            self.grown = url.database
        self.made += 1
        name = f"test{self.made}"
        self._sql(f'CREATE DATABASE "{name}" TEMPLATE "{self.grown}"')
        return self.url(name)

    def _sql(self, statement: str) -> None:
        argv = [str(self.programs / "psql"), "-h", str(self.folder), "-U", "inland"]
        argv += ["-d", "postgres", "-c", statement]
        subprocess.run(argv, check=True, capture_output=True)


def let_go(url: URL) -> None:
    """Return once nobody holds a database of a server any more: it hears a moment later that a
    connection was closed."""
    where = {"host": str(url.query["host"]), "user": url.username, "dbname": url.database}
    with psycopg.connect(**where, autocommit=True) as connection:
        until(lambda: connection.execute(_LOCKED).fetchone() is None, "it is held for ever")


def own_address() -> str:
    """One of loopback's sixteen million: two that are running have not the same."""
    return f"127.{random.randint(1, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"


def programs() -> Path | None:
    """Where Debian keeps the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def server(address: str = "") -> Iterator[Server]:
    """One that is gone after the block, its data too. `address`: where it listens besides."""
    at = programs()
    if at is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    other = {}
    if os.geteuid() == 0:
        os.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
        other = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}
    folder.chmod(0o755)
    data = folder / "data"
    settings = {"cwd": "/", "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **other}
    argv = [str(at / "initdb"), "-D", str(data), "-U", "inland", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*argv, "--no-sync"], check=True, capture_output=True, **settings)
    argv = [str(at / "postgres"), "-D", str(data), "-k", str(folder)]
    argv += ["-c", f"listen_addresses={address}", "-c", "max_connections=60", "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, **settings)
    try:
        made = Server(folder, at, address=address)
        _wait(made, process)
        yield made
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        process.wait(START_S)
        shutil.rmtree(folder)


def _wait(made: Server, process: "subprocess.Popen[bytes]") -> None:
    ready = [str(made.programs / "pg_isready"), "-q", "-h", str(made.folder)]
    end = time.monotonic() + START_S
    while subprocess.run(ready, check=False).returncode != 0:
        assert process.poll() is None, (made.folder / "log").read_text()
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.05)

"""The factory that a pilot plays in: the one that runs in its home, or one that is started for it
and stopped behind it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inland.adapters.home.layout import Home
from inland.adapters.processes import lock
from inland.cli import show
from inland.cli.factory import home_of
from inland.cli.failures import Failed


@contextmanager
def house(home: Path | None, port: int | None, *, keep: bool) -> Iterator[Home]:
    """A home whose factory runs. `keep`: it goes on running afterwards."""
    found = home_of(home)
    if lock.running(found.lock) is not None:
        yield found
        return
    chosen = 0 if port is None and not found.is_made() else port
    words = [] if chosen is None else ["--port", str(chosen)]
    show.note(f"starting a factory in {found.root}")
    _inland("up", "--detach", "--json", *words, home=found)
    try:
        yield found
    finally:
        if not keep:
            _inland("down", "--json", home=found)


def _inland(*words: str, home: Home) -> None:
    """One of our commands, by itself; what goes on it says on standard error."""
    argv = [sys.executable, "-P", "-m", "inland", *words, "--home", str(home.root)]
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Failed(f"inland {words[0]} ended with {done.returncode}")

"""Finding the factory a command is about, and calling it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from inland import settings
from inland.adapters.home.layout import Home
from inland.adapters.processes import lock
from inland.cli.failures import Failed, NotRunning
from inland.cli.program import call

if TYPE_CHECKING:
    from inland.client import FactoryClient


def home_of(home: Path | None) -> Home:
    """The home a command names, or the environment's; a link stands for what it leads to."""
    chosen = settings.from_environment().home if home is None else home
    return Home(chosen.expanduser().resolve())


def made_home(home: Path | None) -> Home:
    """As `home_of`; raises Failed when nothing was ever made there."""
    found = home_of(home)
    if not found.is_made():
        raise Failed(f"no factory in {found.root}; make one with: {call('up', found.root)}")
    return found


def running_home(home: Path | None) -> Home:
    """As `home_of`; raises NotRunning when no factory runs there."""
    found = home_of(home)
    if lock.running(found.lock) is None:
        raise NotRunning(found.root)
    return found


@contextmanager
def calling(home: Path | None) -> Iterator["FactoryClient"]:
    """A client of the factory that runs there, for whom `own_key` says; else for its operator.

    No command is the operator's whatever the key: who set one would end things by mistake.
    """
    from inland.client import FactoryClient

    found = running_home(home)
    with FactoryClient(found.control_socket, own_key() or _operator_key(found)) as client:
        yield client


def own_key() -> str | None:
    """Who asks, by INLAND_API_KEY (arguments are seen by others); None: the operator."""
    key = settings.from_environment().api_key
    if key is not None and not (key.isascii() and key.isprintable()):
        raise Failed("INLAND_API_KEY holds no key")
    return key


def _operator_key(home: Home) -> str:
    try:
        return home.operator_key.read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        raise Failed(f"there is no operator key in {home.operator_key}") from None

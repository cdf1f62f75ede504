"""How a person calls this program again from where they stand: what greetings and hints print."""

import shlex
import shutil
import sys
from pathlib import Path

from inland import settings

NAME = "inland"


def call(words: str, home: Path | None = None) -> str:
    """A command line that works as pasted; it names `home` unless that is the usual one."""
    usual = home is None or home == settings.from_environment().home
    option = "" if usual else f" --home {shlex.quote(str(home))}"
    return f"{program()} {words}{option}"


def program() -> str:
    """`inland` where the shell finds this very program by that name, else the path to it."""
    own = Path(sys.argv[0]).absolute()
    if own.name != NAME or not own.is_file():
        return NAME
    found = shutil.which(NAME)
    if found is not None and own.samefile(found):
        return NAME
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))

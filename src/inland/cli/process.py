"""`inland process`: the factory's processes."""

from typing import Annotated

import typer

from inland.adapters.processes.client import SupervisorClient
from inland.cli import show
from inland.cli.factory import running_home
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Revive processes that were given up.", no_args_is_help=True)


@app.callback()
def processes() -> None:
    """Revive processes that were given up."""


@app.command()
def revive(
    name: Annotated[str, typer.Argument(help="Its name in `inland status`.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Start a process again that failed for good. Works while control is down, too."""
    SupervisorClient(running_home(home).supervisor_socket).revive(name)
    show.as_json({"name": name, "revived": True}) if json else show.line(f"{name} is starting")

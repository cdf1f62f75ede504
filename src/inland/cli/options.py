"""The options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The factory's folder.", show_default="~/.local/share/inland"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

"""The options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The factory's folder.", show_default="~/.local/share/inland"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        help="Act as the holder of this key instead of the operator; or set INLAND_API_KEY.",
        show_default=False,
    ),
]

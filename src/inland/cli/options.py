"""The options that every command has."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The factory's folder.", show_default="~/.local/share/inland"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def split(words: str | None) -> list[str] | None:
    """A comma-separated option as a list; None when it was not given."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]

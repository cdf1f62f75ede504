"""Output: a table or a sentence for people, one JSON value for programs."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import typer

#: How wide a table may be where no terminal says so: nothing is folded.
UNBOUND_WIDTH = 400
#: A column: its heading and what stands in it.
Column = tuple[str, Callable[[dict[str, Any]], object]]


def as_json(value: Any) -> None:
    """One JSON value on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def line(text: str) -> None:
    """One line on standard output."""
    typer.echo(text)


def note(text: str) -> None:
    """One line on standard error: what is going on, not what was asked for."""
    typer.echo(text, err=True)


def rows(rows: Sequence[dict[str, Any]], columns: Sequence[Column], *, json_too: bool) -> None:
    """A list as JSON, or as a table with these columns."""
    if json_too:
        as_json(list(rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, _ in columns:
        table.add_column(heading, overflow="fold", min_width=len(heading))
    for row in rows:
        table.add_row(*(Text(_cell(value(row))) for _, value in columns))
    console = Console()
    if not console.is_terminal:
        console.width = UNBOUND_WIDTH
    console.print(table)


def field(name: str) -> Callable[[dict[str, Any]], object]:
    """Reads a field of a row, a dotted path for one inside another; missing is empty."""

    def value(row: dict[str, Any]) -> object:
        found: Any = row
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    return value


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return str(value)

"""`inland record`: a tenant's records, to take away."""

from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.files import put_pieces
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Export records.", no_args_is_help=True)


@app.callback()
def records() -> None:
    """Export records."""


@app.command()
def export(
    tenant: Annotated[str, typer.Option(help="Whose records.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to put them.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write all of a tenant's records, one canonical JSON a line."""
    with calling(home) as factory, factory.records(tenant) as pieces:
        written = put_pieces(output, pieces)
    told = {"tenant": tenant, "file": str(output), "bytes": written}
    show.as_json(told) if json else show.line(f"records of {tenant} in {output} ({written} bytes)")

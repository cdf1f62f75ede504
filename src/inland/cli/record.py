"""`inland record`: a tenant's records, to take away and to destroy."""

from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.asking import demand_yes
from inland.cli.factory import calling
from inland.cli.files import put_pieces
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Export and destroy records.", no_args_is_help=True)


@app.callback()
def records() -> None:
    """Export and destroy records."""


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


@app.command()
def destroy(
    tenant: Annotated[str, typer.Option(help="Whose records.")],
    before: Annotated[str, typer.Option(help="A date or time: 2026-12-31, UTC.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Destroy a tenant's records from before a date; what they came to stays.

    Their entries stay in the log, so everything else proves what it did; usage and the invoices of
    their months stay as they are. Receipts of these records, and reports on contracts of that time,
    cannot be made any more.
    """
    with calling(home) as factory:
        told = factory.destroy_records(tenant, before, only_tell=True)
        if told["records"]:
            what = f"{told['records']} records of {tenant} ({', '.join(told['months'])})"
            demand_yes(f"Destroy {what}? Nothing brings them back", yes=yes)
            told = factory.destroy_records(tenant, before)
    if json:
        show.as_json(told)
    elif told["record"] is None:
        show.line(f"there is no record of {tenant} from before {before}")
    else:
        show.line(f"{told['records']} records of {tenant} are destroyed; {told['record']} says so")

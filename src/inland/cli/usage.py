"""`inland usage`: tokens by tenant, from the books."""

import csv
import io
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import calling, tenant_key
from inland.cli.options import ApiKeyOption, HomeOption, JsonOption


def usage(
    tenant: Annotated[str | None, typer.Option(help="Whose.", show_default="everyone's")] = None,
    since: Annotated[
        str | None, typer.Option(help="From this date or time on (ISO 8601, UTC).")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")] = False,
    api_key: ApiKeyOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was used: requests and tokens, by tenant and deployment."""
    with calling(home, tenant_key(api_key)) as factory:
        rows = factory.usage(tenant, since)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if as_csv:
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        typer.echo(text.getvalue(), nl=False)
        return
    columns = [(name.upper().replace("_", " "), show.field(name)) for name in names]
    if not rows and not json:
        show.line("nothing was used")
        return
    show.rows(rows, columns, json_too=json)

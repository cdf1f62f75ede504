"""`inland usage`: tokens by tenant, from the books."""

import csv
import io
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.options import HomeOption, JsonOption


def usage(
    tenant: Annotated[str | None, typer.Option(help="Whose.", show_default="everyone's")] = None,
    since: Annotated[
        str | None, typer.Option(help="From this date or time on (ISO 8601, UTC).")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was used: requests and tokens, by tenant and deployment."""
    with calling(home) as factory:
        rows = factory.usage(tenant, since)
    if as_csv:
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        typer.echo(text.getvalue(), nl=False)
        return
    if not rows and not json:
        show.line("nothing was used")
        return
    show.rows(rows, _COLUMNS, json_too=json)


def _hour(row: dict[str, Any]) -> str:
    return datetime.fromtimestamp(row["hour_unix_s"], UTC).strftime("%Y-%m-%d %H:00 UTC")


_COLUMNS: list[show.Column] = [
    ("HOUR", _hour),
    ("TENANT", show.field("tenant")),
    ("DEPLOYMENT", show.field("deployment")),
    ("KEY", show.field("key")),
    ("REQUESTS", show.field("requests")),
    ("REFUSED", show.field("refused")),
    ("PROMPT", show.field("prompt_tokens")),
    ("COMPLETION", show.field("completion_tokens")),
    ("UNBILLED", show.field("unbilled")),
]

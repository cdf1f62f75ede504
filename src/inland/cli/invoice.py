"""`inland invoice`: what a tenant's records of a month come to."""

from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.files import put_whole
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc


def invoice(
    tenant: Annotated[str, typer.Option(help="Whose.")],
    month: Annotated[str, typer.Option(help="Of which month, as 2026-12 (UTC).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Put a page to print here (HTML).")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show a tenant's invoice, made of its billed records."""
    with calling(home) as factory:
        told = factory.invoice(tenant, month)
        if output is not None:
            put_whole(output, factory.invoice_page(tenant, month))
    if json:
        show.as_json(told)
        return
    show.rows(told["lines"], _COLUMNS, json_too=False)
    for total in told["totals"]:
        show.line(f"total: {total['amount']} {total['currency']}")
    state = "final" if told["final"] else "not final: the month goes on, or is not all booked"
    show.line(f"{told['records']} billed records of {tenant} in {month}; {state}")


def _amount(row: dict[str, Any]) -> object:
    return None if row["amount"] is None else f"{row['amount']} {row['currency']}"


_COLUMNS: list[show.Column] = [
    ("DEPLOYMENT", show.field("deployment")),
    ("KIND", show.field("kind")),
    ("PRICE SINCE", lambda row: None if row["since"] is None else utc(row["since"])),
    ("A MILLION", show.field("price")),
    ("TOKENS", show.field("tokens")),
    ("RECORDS", show.field("records")),
    ("AMOUNT", _amount),
]

"""`inland contract`: throughput sold to tenants."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.files import put_whole
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc

app = typer.Typer(help="Add, list, remove and report contracts.", no_args_is_help=True)


@app.command()
def add(
    *,
    tenant: Annotated[str, typer.Option(help="Who buys it.")],
    deployment: Annotated[str, typer.Option(help="On which deployment.")],
    tokens_per_second: Annotated[
        int, typer.Option(help="Completion tokens/s over a minute; 0 reserves nothing.")
    ],
    ttft_ms: Annotated[
        int | None, typer.Option(help="Time to first token, 95th percentile of a minute.")
    ] = None,
    prompt_tokens: Annotated[
        int | None, typer.Option(help="For prompts up to this long.", show_default="512")
    ] = None,
    burst_tokens: Annotated[
        int | None,
        typer.Option("--burst", help="Tokens beyond the rate, still reserved.", show_default="0"),
    ] = None,
    weight: Annotated[
        int | None, typer.Option(help="Its part of what nobody reserved.", show_default="1")
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(help="interactive, standard or batch.", show_default="standard"),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In the place of the one the tenant has there.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Sell throughput of a deployment, as far as its measured capacity goes."""
    body: dict[str, Any] = {
        "tenant": tenant,
        "deployment": deployment,
        "tokens_per_second": tokens_per_second,
        "ttft_ms": ttft_ms,
        "prompt_tokens": prompt_tokens,
        "burst_tokens": burst_tokens,
        "weight": weight,
        "tier": tier,
        "replace": replace or None,
    }
    with calling(home) as factory:
        told = factory.add_contract({k: v for k, v in body.items() if v is not None})
    show.as_json(told) if json else show.line(
        f"contract {told['id']} of {tenant} on {deployment} is in force"
    )


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Whose.", show_default="everyone's")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended, too.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List contracts."""
    with calling(home) as factory:
        contracts = factory.contracts(tenant, ended=ended)
    columns = [
        ("CONTRACT", show.field("id")),
        ("TENANT", show.field("tenant")),
        ("DEPLOYMENT", show.field("deployment")),
        ("TOKENS/S", show.field("tokens_per_second")),
        ("TTFT MS", show.field("ttft_ms")),
        ("PROMPTS TO", show.field("prompt_tokens")),
        ("BURST", show.field("burst_tokens")),
        ("WEIGHT", show.field("weight")),
        ("TIER", show.field("tier")),
        ("DECLARED", show.field("declared")),
        ("STATE", _state),
    ]
    show.rows(contracts, columns, json_too=json)


@app.command()
def remove(
    contract: Annotated[str, typer.Argument(help="The contract's id.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """End a contract; reports go on showing it."""
    with calling(home) as factory:
        told = factory.remove_contract(contract)
    show.as_json(told) if json else show.line(f"contract {contract} has ended")


@app.command()
def report(
    tenant: Annotated[str | None, typer.Option(help="Whose.", show_default="everyone's")] = None,
    deployment: Annotated[
        str | None, typer.Option(help="On this deployment alone.", show_default="all")
    ] = None,
    month: Annotated[
        str | None, typer.Option(help="YYYY-MM, UTC.", show_default="this month")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it as a page to this file (HTML).")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say of every minute of a month whether contracts were kept, and why not, from the records."""
    asked = {"tenant": tenant, "deployment": deployment, "month": month}
    with calling(home) as factory:
        if output is not None:
            made = factory.contract_page(asked)
            put_whole(output, made)
            told = {"file": str(output), "bytes": len(made)}
            show.as_json(told) if json else show.line(f"report in {output}")
            return
        found = factory.contract_report(asked)
    if json:
        show.as_json(found)
    elif not found["contracts"]:
        show.line(f"no contract was in force in {found['month']}")
    else:
        show.rows(found["contracts"], _REPORTED, json_too=False)


def _minutes(cause: str) -> Callable[[dict[str, Any]], object]:
    return lambda row: row["causes"][cause]


_REPORTED: list[show.Column] = [
    ("TENANT", show.field("contract.tenant")),
    ("DEPLOYMENT", show.field("contract.deployment")),
    ("CONTRACT", show.field("contract.id")),
    ("MINUTES", show.field("minutes_in_force")),
    ("NOT EXERCISED", show.field("not_exercised")),
    ("MET", show.field("met")),
    ("BREACHED", show.field("breached")),
    ("OVER CONTRACT", _minutes("over contract")),
    ("CAPACITY LOST", _minutes("capacity lost")),
    ("ENGINE SLOW", _minutes("engine slow")),
]


def _state(row: dict[str, Any]) -> str:
    if row["waits_for"]:
        return f"not in force: {row['waits_for']}"
    if row["until_unix_s"] is not None:
        return f"ended {utc(row['until_unix_s'])}"
    return f"in force since {utc(row['since_unix_s'])}"

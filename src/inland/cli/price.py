"""`inland price`: what a deployment's tokens cost, and from when."""

from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import unix_seconds, utc

app = typer.Typer(help="Set and list prices of tokens.", no_args_is_help=True)


@app.command("set")
def set_(
    deployment: Annotated[str, typer.Option(help="Whose tokens.")],
    prompt: Annotated[str, typer.Option(help="For a million prompt tokens, as 0.15.")],
    completion: Annotated[str, typer.Option(help="For a million completion tokens.")],
    currency: Annotated[str, typer.Option(help="Its code in ISO 4217, as EUR.")],
    cached: Annotated[
        str | None,
        typer.Option(
            help="For a million prompt tokens not read again.", show_default="as --prompt"
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="When it begins (ISO 8601, UTC): never in a past that had a price.",
            show_default="6 s from now; a deployment's first one: this day's beginning",
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Set a deployment's price from a moment on."""
    body: dict[str, Any] = {
        "deployment": deployment,
        "prompt": prompt,
        "cached": cached,
        "completion": completion,
        "currency": currency,
        "since": None if from_ is None else unix_seconds(from_, "--from"),
    }
    with calling(home) as factory:
        told = factory.set_price(body)
    if json:
        show.as_json(told)
        return
    prices = f"{told['prompt']} · {told['cached']} · {told['completion']} {told['currency']}"
    text = f"{deployment}: {prices} a million prompt, cached and completion tokens"
    show.line(f"{text}, from {utc(told['since'])}")


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List every price there ever was: each holds until the deployment's next one."""
    with calling(home) as factory:
        prices = factory.prices()
    columns: list[show.Column] = [
        ("DEPLOYMENT", show.field("deployment")),
        ("SINCE", lambda row: utc(row["since"])),
        ("PROMPT", show.field("prompt")),
        ("CACHED", show.field("cached")),
        ("COMPLETION", show.field("completion")),
        ("CURRENCY", show.field("currency")),
    ]
    show.rows(prices, columns, json_too=json)

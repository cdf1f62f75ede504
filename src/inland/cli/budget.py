"""`inland budget`: how much a tenant or a key may use in a day or a month."""

from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc
from inland.domain.budgets import TOKENS, Period

app = typer.Typer(help="Set, list and remove budgets.", no_args_is_help=True)

Tenant = Annotated[str, typer.Option(help="Whose.")]
Key = Annotated[
    str | None, typer.Option(help="One key's, by its id.", show_default="all keys together")
]
Span = Annotated[Period, typer.Option(help="Of a day or a month, in UTC.")]


@app.command("set")
def set_(
    *,
    tenant: Tenant,
    period: Span,
    key: Key = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="Prompt and completion tokens.")] = None,
    money: Annotated[str | None, typer.Option(help="An amount, as 12.50.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of the money; holds what is priced in it.")
    ] = None,
    soft: Annotated[int, typer.Option(min=1, max=100, help="Percent from which it warns.")] = 80,
    hard: Annotated[
        bool, typer.Option("--hard", help="Refuse what could pass it (429 insufficient_quota).")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Set a budget of a tenant or of one of its keys, in tokens or in money."""
    in_money = money is not None and currency not in {None, TOKENS}
    if in_money == (tokens is not None) or (money is not None or currency is not None) != in_money:
        raise Failed("give --tokens N, or --money AMOUNT --currency CODE")
    body: dict[str, Any] = {
        "tenant": tenant,
        "key": key,
        "unit": currency or TOKENS,
        "amount": str(tokens) if money is None else money,
        "period": period.value,
        "soft_percent": soft,
        "hard": hard,
    }
    with calling(home) as factory:
        told = factory.set_budget(body)
    if json:
        show.as_json(told)
        return
    kind = "held" if hard else f"warns at {soft} %"
    text = f"{told['amount']} {told['unit']} a {period.value} of {key or tenant}: {kind}"
    show.line(f"{text}; {told['used']} used since {utc(told['since'])}")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Whose.", show_default="everyone's")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List budgets, what was used, and how far requests under way may pass a hard one."""
    with calling(home) as factory:
        budgets = factory.budgets(tenant)
    show.rows(budgets, _COLUMNS, json_too=json)


@app.command()
def remove(
    tenant: Tenant,
    period: Span,
    key: Key = None,
    unit: Annotated[str, typer.Option(help="tokens, or a currency's code.")] = TOKENS,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Hold a budget no more."""
    names = {"tenant": tenant, "key": key, "unit": unit, "period": period.value}
    with calling(home) as factory:
        factory.remove_budget(names)
    told = f"{unit} a {period.value} of {key or tenant}"
    show.as_json(names) if json else show.line(f"the budget of {told} is removed")


def _overshoot(row: dict[str, Any]) -> object:
    tokens = row["overshoot_tokens_per_request"]
    return "not held" if tokens is None else f"{tokens:,} tokens a request under way"


_COLUMNS: list[show.Column] = [
    ("TENANT", show.field("tenant")),
    ("KEY", lambda row: row["key"] or "all"),
    ("PERIOD", show.field("period")),
    ("USED", show.field("used")),
    ("OF", show.field("amount")),
    ("UNIT", show.field("unit")),
    ("SOFT", lambda row: f"{row['soft_percent']} %"),
    ("HARD", show.field("hard")),
    ("STANDING", show.field("standing")),
    ("RESETS", lambda row: utc(row["until"])),
    ("PASSED BY AT MOST", _overshoot),
]

"""`inland vault`: where content of assets rests, under which key, and whose keys are withdrawn."""

from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(
    help="Look at the vault, check it, rotate its key, withdraw a tenant's keys.",
    no_args_is_help=True,
)

_LEFT = (
    "left where it is: content in a store where the books do not have its asset, which is not whole"
    " where they do. It may be the only copy: docs/vault.md, More places, says what to do"
)
TenantOption = Annotated[
    str | None, typer.Option(help="Whose keys.", show_default="the key's own tenant")
]


@app.command()
def status(home: HomeOption = None, json: JsonOption = False) -> None:
    """What keeps keys and blobs, and whether both can be used."""
    with calling(home) as factory:
        told = factory.vault()
    if json:
        show.as_json(told)
        return
    for what in ("keys", "blobs"):
        away = told[f"{what}_away"]
        show.line(f"{what}: {told[what]}{f', AWAY: {away}' if away else ''}")
    for one in told["stores"]:
        show.line(f"store {one['store']}: in {one['stands']}, operated from {one['operated']}")
    show.line(f"withdrawn: {', '.join(told['withdrawn']) or 'nobody'}")
    if told["keys_away"] or told["blobs_away"]:
        raise typer.Exit(1)


@app.command()
def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove content and keys that no asset has.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Open every part of every asset, and look for what no asset has.

    Exits 1 where something is wrong that was not repaired.
    """
    with calling(home) as factory:
        found = factory.check_vault(repair=repair)
    columns = [
        ("WRONG", show.field("wrong")),
        ("TENANT", show.field("tenant")),
        ("ASSET", show.field("asset")),
        ("PART", show.field("part")),
        ("REPAIRED", show.field("repaired")),
    ]
    if found or json:
        show.rows(found, columns, json_too=json)
    else:
        show.line("every part opens, and every part and key has its asset")
    if repair and any(one["wrong"] == "orphan" and not one["repaired"] for one in found):
        show.note(_LEFT)
    if any(not one["repaired"] for one in found):
        raise typer.Exit(1)


@app.command()
def rotate(
    before: Annotated[
        Path | None,
        typer.Option("--from", help="A file with what the keys are under now, if that changed."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put every embedded key under a new factory key, made of what factory.toml names now.

    Keys open meanwhile. To change a passphrase write the new one into its file first.
    """
    from inland.adapters.vault.secret import read_secret

    secret = None if before is None else read_secret(before).decode()
    with calling(home) as factory:
        told = factory.rotate_vault(secret)
    show.as_json(told) if json else show.line(f"{told['keys']} keys are under a new factory key")


@app.command()
def withdraw(
    tenant: TenantOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Withdraw a tenant's keys: nothing of it opens any more, and its requests are refused.

    Returns when that is so everywhere.
    """
    with calling(home) as factory:
        told = factory.withdraw_keys(tenant)
    show.as_json(told) if json else show.line(f"the keys of {told['id']} are withdrawn")


@app.command("give-back")
def give_back(
    tenant: TenantOption = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Give a tenant's keys back: it is served again."""
    with calling(home) as factory:
        told = factory.give_back_keys(tenant)
    show.as_json(told) if json else show.line(f"the keys of {told['id']} open again")

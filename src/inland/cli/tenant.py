"""`inland tenant`: the organisations a factory serves."""

from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import calling, home_of
from inland.cli.options import HomeOption, JsonOption, split
from inland.cli.program import call

app = typer.Typer(help="Add, list, label, suspend and resume tenants.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The tenant's name.")]


@app.command()
def add(
    name: Name,
    jurisdictions: Annotated[
        str | None,
        typer.Option(
            help="Where its requests may be processed, CC,…: countries, EU, EEA, WORLD.",
            show_default="the site's",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where what is its own may be stored, CC,….", show_default="where it is processed"
        ),
    ] = None,
    purposes: Annotated[
        str | None,
        typer.Option(
            help="What for, serve,train,evaluate,retrieve,export: what it sends.",
            show_default="serve",
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add a tenant."""
    given = {"jurisdictions": jurisdictions, "storage": storage, "purposes": purposes}
    label = {field: found for field, one in given.items() if (found := split(one)) is not None}
    with calling(home) as factory:
        told = factory.add_tenant(name, label)
    hint = call(f"key add --tenant {name}", home_of(home).root)
    show.as_json(told) if json else show.line(f"tenant {name} added; give it a key: {hint}")


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List tenants and their labels."""
    with calling(home) as factory:
        tenants = factory.tenants()
    columns = [
        ("TENANT", show.field("id")),
        ("JURISDICTIONS", show.field("label.jurisdictions")),
        ("CLASSIFICATION", show.field("label.classification")),
        ("PURPOSES", show.field("label.purposes")),
        ("SUSPENDED", show.field("suspended")),
        ("WITHDRAWN", show.field("withdrawn")),
        ("DECLARED", show.field("declared")),
    ]
    show.rows(tenants, columns, json_too=json)


@app.command()
def label(
    name: Name,
    purposes: Annotated[
        str, typer.Option(help="What for, and no more: serve,train,evaluate,retrieve,export.")
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let what a tenant sends be used for these purposes: a line that trains takes serve,train.
    Returns when every gateway decides so."""
    with calling(home) as factory:
        told = factory.label_tenant(name, split(purposes) or [])
    allowed = ", ".join(told["label"]["purposes"])
    show.as_json(told) if json else show.line(f"what {name} sends is for {allowed}")


@app.command()
def suspend(name: Name, home: HomeOption = None, json: JsonOption = False) -> None:
    """Refuse all a tenant asks; returns when every gateway does."""
    with calling(home) as factory:
        told = factory.suspend_tenant(name)
    show.as_json(told) if json else show.line(f"tenant {name} is suspended")


@app.command()
def resume(name: Name, home: HomeOption = None, json: JsonOption = False) -> None:
    """Serve a suspended tenant again."""
    with calling(home) as factory:
        told = factory.resume_tenant(name)
    show.as_json(told) if json else show.line(f"tenant {name} is served again")

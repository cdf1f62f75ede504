"""`inland line`: production lines, declared in TOML files and run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import line_run, show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc

app = typer.Typer(
    help="Declare production lines, run them, list, show and pause them.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The line's name.")]
Tenant = Annotated[
    str | None, typer.Option(help="Whose line it is.", show_default="INLAND_API_KEY's")
]


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="The file that declares it; see examples/lines.")],
    *,
    tenant: Tenant = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Declare a line, or declare the one of that name anew. What is wrong in its file is told by
    table and field, and nothing is kept of it."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Failed(f"{file} is no text in UTF-8") from None
    with calling(home) as factory:
        told = factory.add_line(tenant, text)
    if json:
        show.as_json(told)
    else:
        steps = ", ".join(told["steps"])
        show.line(f"line {told['name']} of {told['tenant']} is declared: {steps}")


@app.command()
def run(
    name: Name,
    *,
    tenant: Tenant = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Run a line, and show how it goes. Ends with 0 where the run was done, else with 1; a run that
    is waited for no longer goes on."""
    with calling(home) as factory:
        told = factory.run_line(tenant, name)
        if not detach:
            told = line_run.awaited(factory, told, quiet=json)
    line_run.tell(told, json=json)


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Its own alone.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the lines."""
    with calling(home) as factory:
        found = factory.lines(tenant)
    columns = [
        ("LINE", show.field("name")),
        ("TENANT", show.field("tenant")),
        ("BASE", show.field("base")),
        ("METHOD", show.field("method")),
        ("TRIGGERS", show.field("triggers")),
        ("PAUSED", show.field("paused")),
        ("ADDED", lambda row: utc(row["added"])),
    ]
    show.rows(found, columns, json_too=json)


@app.command("show")
def show_(
    name: Name, *, tenant: Tenant = None, home: HomeOption = None, json: JsonOption = False
) -> None:
    """Show a line: its file, and its last runs."""
    with calling(home) as factory:
        told = factory.line(tenant, name)
        runs = factory.runs(told["tenant"], name)
    if json:
        show.as_json({**told, "runs": runs})
        return
    show.line(told["text"].rstrip())
    show.line("")
    if told["paused"]:
        show.line("paused: no run of it begins")
    if told["refused"]:
        show.line(f"a trigger began nothing: {told['refused']}")
    line_run.list_runs(runs, json=False)


@app.command()
def pause(
    name: Name,
    *,
    off: Annotated[bool, typer.Option("--off", help="Let its runs begin again.")] = False,
    tenant: Tenant = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let no run of a line begin, by hand or by trigger; one under way goes on."""
    with calling(home) as factory:
        told: dict[str, Any] = factory.pause_line(tenant, name, paused=not off)
    if json:
        show.as_json(told)
    else:
        show.line(f"line {name} {'is paused' if told['paused'] else 'runs again'}")

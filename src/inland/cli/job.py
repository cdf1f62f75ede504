"""`inland job`: commands that read a tenant's assets, shut in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc

if TYPE_CHECKING:
    from inland.client import FactoryClient

app = typer.Typer(
    help="Run commands that read a tenant's assets; list, show and stop them.",
    no_args_is_help=True,
)

#: Pause between two looks at a job that is waited for, in seconds.
LOOK_S = 0.2

Id = Annotated[str, typer.Argument(help="The job's id.")]


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    command: Annotated[
        list[str],
        typer.Argument(help="The command, behind `--`; asset:ID in it is that asset's file."),
    ],
    *,
    tenant: Annotated[str, typer.Option(help="Whose job it is.")],
    asset: Annotated[list[str], typer.Option(help="An asset that it reads; repeatable.")],
    purpose: Annotated[str, typer.Option(help="What for: train, evaluate, retrieve.")] = "train",
    read: Annotated[
        list[Path] | None, typer.Option(help="A file or folder it may read; repeatable.")
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(help="How long it may take.", show_default="limits.job_s")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Run a command that reads a tenant's assets: without a network, without the home, its assets
    in memory alone. What it prints becomes an asset of the tenant.

    Ends with 0 where the command did, else with 1.
    """
    body: dict[str, Any] = {
        "tenant": tenant,
        "purpose": purpose,
        "assets": asset,
        "command": command,
        "readable": [str(path.expanduser().absolute()) for path in read or ()],
    }
    if seconds is not None:
        body["seconds"] = seconds
    with calling(home) as factory:
        told = factory.run_job(body)
        if not detach:
            told = _awaited(factory, told)
    if json:
        show.as_json(told)
    else:
        show.line(f"job {told['id']} {_how(told)}")
    if told["state"] in {"failed", "ended"}:
        raise typer.Exit(1)


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Its own alone.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List jobs under way, and the last that ended since control began."""
    with calling(home) as factory:
        found = factory.jobs(tenant)
    columns = [
        ("JOB", show.field("id")),
        ("TENANT", show.field("tenant")),
        ("PURPOSE", show.field("purpose")),
        ("STATE", show.field("state")),
        ("BEGAN", lambda row: utc(row["began"])),
        ("COMMAND", lambda row: row["command"][0]),
        ("WHY", show.field("why")),
    ]
    show.rows(found, columns, json_too=json)


@app.command("show")
def show_(job: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show a job: what it reads, how it goes or ended, and the asset that holds its output."""
    with calling(home) as factory:
        told = factory.job(job)
    if json:
        show.as_json(told)
        return
    rows = [{"name": name.replace("_", " "), "value": value} for name, value in told.items()]
    columns = [("FIELD", show.field("name")), ("VALUE", show.field("value"))]
    show.rows(rows, columns, json_too=False)


@app.command()
def stop(job: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """End a job; returns when it, and all that it started, is gone."""
    with calling(home) as factory:
        told = factory.stop_job(job)
    show.as_json(told) if json else show.line(f"job {job} {_how(told)}")


def _awaited(factory: "FactoryClient", told: dict[str, Any]) -> dict[str, Any]:
    from inland.adapters.files.clock import SystemClock

    clock = SystemClock()
    while told["state"] in {"starting", "running"}:
        clock.sleep(LOOK_S)
        told = factory.job(told["id"])
    return told


def _how(told: dict[str, Any]) -> str:
    """`is done; it printed 12 bytes, asset …`."""
    parts = [f"is {told['state']}"]
    if told["why"]:
        parts.append(told["why"])
    if told["output"]:
        parts.append(f"it printed {told['printed_bytes']} bytes, kept as asset {told['output']}")
    return "; ".join(parts)

"""`inland run`: the runs of production lines, shown, resumed, cancelled, and proved refused."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.files import put_pieces
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import steps_bar
from inland.cli.release_proof import refusal_proof
from inland.cli.times import utc

if TYPE_CHECKING:
    from inland.client import FactoryClient

app = typer.Typer(
    help="Show, resume and cancel runs of lines, prove that one was refused.", no_args_is_help=True
)

#: Pause between two looks at a run that is waited for, in seconds.
LOOK_S = 0.3

Id = Annotated[str, typer.Argument(help="The run's id.")]


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Its own alone.")] = None,
    line: Annotated[str | None, typer.Option(help="Of this line alone.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List runs, the newest first."""
    with calling(home) as factory:
        found = factory.runs(tenant, line)
    list_runs(found, json=json)


@app.command("show")
def show_(run: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show a run: its steps, what went into each and came out, and why it ended."""
    with calling(home) as factory:
        told = factory.run(run)
    if json:
        show.as_json(told)
        return
    show.line(_how(told["run"]))
    columns = [
        ("STEP", show.field("kind")),
        ("STATE", show.field("state")),
        ("SECONDS", _seconds),
        ("INPUTS", lambda row: row["inputs"][:12]),
        ("OUTPUTS", lambda row: (row["outputs"] or "")[:12]),
        ("RECEIPTS", lambda row: len(row["receipts"])),
        ("AS IN RUN", show.field("reused")),
        ("WHY", show.field("why")),
    ]
    show.rows(told["steps"], columns, json_too=False)
    for step in told["steps"]:
        for finding in step["told"].get("findings", []):
            about = finding.get("about") or finding.get("suite") or step["kind"]
            show.line(f"  {about}: {finding['why']}")
            if finding.get("remedy"):
                show.line(f"      {finding['remedy']}")


@app.command()
def logs(
    run: Id,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it is over.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what happened in a run; with --json one object a line."""
    from inland.adapters.files.clock import SystemClock

    clock, after = SystemClock(), 0
    with calling(home) as factory:
        while True:
            is_over = factory.run(run)["run"]["state"] != "running"
            found = factory.run_logs(run, after)
            for one in found:
                after = one["number"]
                told = f"{utc(int(one['time']))} {one['step']:<9} {one['text']}"
                show.as_json(one) if json else show.line(told)
            if not found and (is_over or not follow):
                return
            if not found:
                clock.sleep(LOOK_S)


@app.command()
def statement(run: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Print what is signed of a run that was refused: an in-toto statement of what was tried, on
    what data, its scores and what refused it, in a DSSE envelope, under `keys/models.pub`."""
    with calling(home) as factory:
        told = factory.run_refusal(run)
    show.as_json(told) if json else show.line(told["envelope"])


@app.command()
def proof(
    run: Id,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to put it.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Get the proof that a run was refused: one file with what is signed of it, its steps, and a
    receipt of each record; verifier/inland_verify.py checks it with two public keys."""
    with calling(home) as factory, steps_bar("proof") as advance:
        size = put_pieces(output, refusal_proof(factory, run, advance))
    told = {"run": run, "file": str(output), "bytes": size}
    show.as_json(told) if json else show.line(f"proof of {run} in {output} ({size} bytes)")


@app.command()
def resume(
    run: Id,
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Go on with a run that was refused, failed or was cancelled, behind its last finished step.
    The check is made anew."""
    with calling(home) as factory:
        told = factory.resume_run(run)
        if not detach:
            told = awaited(factory, told, quiet=json)
    tell(told, json=json)


@app.command()
def cancel(run: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """End a run, and take back what it had begun to roll out: what was live before answers alone.
    Returns when nothing is done for it any more."""
    with calling(home) as factory:
        told = factory.cancel_run(run)
    show.as_json(told) if json else show.line(_how(told))


def awaited(factory: "FactoryClient", told: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """The run once it is over; its log and a bar meanwhile, on standard error."""
    from inland.adapters.files.clock import SystemClock

    clock, after, run = SystemClock(), 0, told["id"]
    if not quiet:
        show.note(f"run {run} of line {told['line']}; inland run logs {run}")
    with steps_bar("run") as advance:
        while True:
            told = factory.run(run)["run"]
            for one in [] if quiet else factory.run_logs(run, after):
                after = one["number"]
                show.note(f"{one['step']:<9} {one['text']}")
            if told["state"] != "running":
                return told
            if (far := told["progress"]) is not None and not quiet:
                advance(far["done"], far["total"], f"{far['step']}: {far['what']}")
            clock.sleep(LOOK_S)


def tell(told: dict[str, Any], *, json: bool) -> None:
    """How a run stands; exits 1 where it stopped short."""
    show.as_json(told) if json else show.line(_how(told))
    if told["state"] not in {"running", "done"}:
        raise typer.Exit(1)


def list_runs(runs: list[dict[str, Any]], *, json: bool) -> None:
    """As a table, or as JSON."""
    columns = [
        ("RUN", show.field("id")),
        ("LINE", show.field("line")),
        ("TENANT", show.field("tenant")),
        ("STATE", show.field("state")),
        ("BEGAN", lambda row: utc(int(row["began"]))),
        ("SECONDS", _seconds),
        ("BY", show.field("by")),
        ("WHY", show.field("why")),
    ]
    show.rows(runs, columns, json_too=json)


def _seconds(row: dict[str, Any]) -> str | None:
    return None if row["ended"] is None else f"{row['ended'] - row['began']:.1f}"


def _how(told: dict[str, Any]) -> str:
    why = f": {told['why']}" if told["why"] else ""
    return f"run {told['id']} of line {told['line']} is {told['state']}{why}"

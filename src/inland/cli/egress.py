"""`inland egress`: what left the factory, and proof that a command sent nothing."""

from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import calling, made_home
from inland.cli.failures import Failed
from inland.cli.files import put_whole, read_bytes, read_text
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc

app = typer.Typer(
    help="What goes out of the factory, and proof that nothing does.", no_args_is_help=True
)


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List where the factory itself connected to: why, by which rule, how often, since when.

    Of the last 200,000 entries of the site log, and up to now.
    """
    with calling(home) as factory:
        uses = factory.egress()
    columns: list[show.Column] = [
        ("ENDPOINT", show.field("endpoint")),
        ("WHY", show.field("why")),
        ("BY", show.field("who")),
        ("RULES", lambda row: row["rules"] or "refused"),
        ("COUNT", show.field("count")),
        ("SINCE", lambda row: utc(row["since"])),
        ("LAST", lambda row: utc(row["last"])),
    ]
    show.rows(uses, columns, json_too=json)


@app.command(context_settings={"allow_interspersed_args": False})
def prove(
    command: Annotated[list[str], typer.Argument(help="The command, behind `--`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the evidence goes.", metavar="EVIDENCE")
    ],
    read: Annotated[
        list[Path] | None, typer.Option(help="A file or folder it may read, besides the system's.")
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(
            help="A new or empty folder that it may write, and that stays.",
            show_default="folders of its own that go",
        ),
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="A variable of the environment it gets, by name.")
    ] = None,
    wait_s: Annotated[
        float, typer.Option(help="How long its processes may outlive it, in seconds.", min=0.0)
    ] = 10.0,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Run a command where nothing leaves, and sign evidence that it sent nothing.

    Ends with the command's own status; with 1 and no evidence where it sent or tried to send
    anything, where it left processes behind, or where the kernel cannot hold it. What it prints is
    beside the evidence, in EVIDENCE.output.
    """
    from inland import settings
    from inland.bootstrap.silence import Asked, prove

    made = made_home(home).root
    output.unlink(missing_ok=True)
    printed = output.with_name(f"{output.name}.output")
    asked = Asked(tuple(command), printed, tuple(read or ()), scratch, tuple(env or ()), wait_s)
    data, facts = prove(made, asked, settings.from_environment())
    put_whole(output, data)
    if json:
        show.as_json({"evidence": str(output), "output": str(printed), **facts})
    else:
        tries = len(facts["canary"])
        show.line(f"it sent nothing: {tries} canaries were heard, and the command was not")
        show.line(f"evidence in {output}, what it printed in {printed}")
    if facts["exit_status"]:
        show.note(f"the command ended with {facts['exit_status']}")
        raise typer.Exit(_shell_status(facts["exit_status"]))


def _shell_status(status: int) -> int:
    """A status as a shell tells it: of a signal, 128 and its number."""
    return status if status > 0 else 128 - status


@app.command()
def verify(
    evidence: Annotated[Path, typer.Argument(help="The evidence.", metavar="FILE")],
    vkey: Annotated[
        Path | None,
        typer.Option(help="A file with the log's public key.", show_default="the home's own"),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Verify evidence offline, with one public key, and say what it proves."""
    from inland.bootstrap.books import log_keys
    from inland.bootstrap.silence import verify

    keys = [one["vkey"] for one in log_keys(made_home(home).root)] if vkey is None else []
    told = verify(read_bytes(evidence), keys if vkey is None else [read_text(vkey).strip()])
    if not told.facts.get("command"):
        raise Failed("it names no command")
    if json:
        show.as_json({"ok": True, "key": told.key, "evidence": told.facts})
        return
    facts = told.facts
    show.line(f"verified: signed by {told.key}")
    show.line(f"command: {' '.join(facts['command'])}")
    show.line(f"executable: {facts['executable']['path']}, sha256 {facts['executable']['sha256']}")
    show.line(f"exit status: {facts['exit_status']}")
    show.line(f"it sent nothing; {len(facts['canary'])} canaries in the same place were heard")
    show.line(f"not closed: {'; '.join(facts['open'].values())}")

"""`inland ledger`: the public key and its rotation, and the proof that the books agree."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling, made_home
from inland.cli.failures import Failed
from inland.cli.files import put_whole
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="The site log's public key, and a check of all books.", no_args_is_help=True)


class Why(StrEnum):
    """Why a key is rotated: by plan, or because somebody else may have it."""

    SCHEDULED = "scheduled"
    COMPROMISED = "compromised"


@app.command()
def vkey(
    every: Annotated[
        bool, typer.Option("--all", help="Every log's, the oldest first; the last one signs.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Print the site log's public key in signed-note form, for whoever verifies receipts."""
    from inland.bootstrap.books import log_keys

    logs = log_keys(made_home(home).root)
    if not logs:
        raise Failed("nothing has been signed yet; start the factory once")
    if every:
        columns = [
            ("LOG", show.field("log")),
            ("ENTRIES", show.field("entries")),
            ("ENDED", lambda row: row["ended"] or "it grows"),
            ("VKEY", show.field("vkey")),
        ]
        show.rows(logs, columns, json_too=json)
        return
    text = logs[-1]["vkey"]
    show.as_json({"vkey": text}) if json else show.line(text)


@app.command("rotate-key")
def rotate_key(
    why: Annotated[
        Why, typer.Option(help="compromised: somebody else may have the key.")
    ] = Why.SCHEDULED,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Put the receipt that names the new key here."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """End the log and its key, and go on with new ones; requests are served meanwhile.

    Receipts keep their key: those made before verify with the old one, later ones with the new one.
    """
    with calling(home) as factory:
        told: dict[str, Any] = factory.rotate_log_key(why.value)
        if output is not None:
            put_whole(output, factory.receipt(told["reference"]))
    if json:
        show.as_json(told)
        return
    show.note(f"the log of {told['before']} has ended; whoever verifies receipts needs now too:")
    show.line(told["vkey"])


@app.command()
def check(home: HomeOption = None, json: JsonOption = False) -> None:
    """Re-read everything and prove that journals, records, log and database agree."""
    from inland.bootstrap.books import check_ledger

    told = check_ledger(made_home(home).root)
    if json:
        show.as_json({"ok": not told.problems, "problems": list(told.problems), **told.counted})
    else:
        for problem in told.problems:
            show.line(problem)
        counted = ", ".join(
            f"{count} {noun.replace('_', ' ')}" for noun, count in told.counted.items()
        )
        show.line(f"{'the books do NOT agree' if told.problems else 'the books agree'}: {counted}")
    if told.problems:
        raise typer.Exit(1)

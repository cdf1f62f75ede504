"""`inland ledger`: the public key, and the proof that the books agree. Both read files only."""

import typer

from inland.cli import show
from inland.cli.factory import made_home
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="The site log's public key, and a check of all books.", no_args_is_help=True)


@app.command()
def vkey(home: HomeOption = None, json: JsonOption = False) -> None:
    """Print the site log's public key in signed-note form, for whoever verifies receipts."""
    from inland.adapters.files.disk import Disk
    from inland.ledger import notes
    from inland.plant.books import keys

    files = Disk(made_home(home).root)
    head = keys.last_head(files)
    if head is None:
        raise Failed("nothing has been signed yet; start the factory once")
    public = keys.public_bytes(keys.kept_key(files))
    text = notes.vkey(head.origin, public)
    show.as_json({"vkey": text}) if json else show.line(text)


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

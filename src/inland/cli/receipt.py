"""`inland receipt`: the proof of one answer."""

from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import calling, own_key, running_home
from inland.cli.failures import Failed
from inland.cli.files import put_whole, read_text
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Get receipts, and the key that opens one record.", no_args_is_help=True)

Reference = Annotated[
    str, typer.Argument(help="The inland-receipt header, or the answer's id.", metavar="REF")
]


@app.command()
def get(
    reference: Reference,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to put it.")],
    since: Annotated[
        Path | None,
        typer.Option(help="A kept checkpoint: prove that the log still begins with it."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Get a receipt: one file that anyone can verify without this factory."""
    kept = None if since is None else read_text(since)
    with calling(home) as factory:
        data = factory.receipt(reference)
        if kept is not None and since is not None:
            size = checkpoint_size(kept, since)
            demand_same_log(kept, since, data)
            data = factory.receipt(reference, size)
    put_whole(output, data)
    told = {"receipt": reference, "file": str(output), "bytes": len(data)}
    show.as_json(told) if json else show.line(f"receipt in {output} ({len(data)} bytes)")


@app.command("open")
def open_(
    reference: Reference,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Print the key of one record, with which its tenant can show one text and no other."""
    running_home(home)
    key = own_key()
    if key is None:
        raise Failed("only its tenant can open a record: set INLAND_API_KEY to a key of its")
    with calling(home) as factory:
        told = factory.record_key(reference)
    show.as_json(told) if json else show.line(str(told["key"]))


def checkpoint_size(note: str, path: Path) -> int:
    """How many entries a checkpoint covers: its second line (C2SP tlog-checkpoint)."""
    lines = note.split("\n")
    if len(lines) < 3 or not lines[1].isdecimal() or len(lines[1]) > 15:
        raise Failed(f"{path} is not a checkpoint")
    return int(lines[1])


def demand_same_log(note: str, path: Path, receipt: bytes) -> None:
    """Raise unless the checkpoint in `path` is of the log that the receipt is under."""
    kept = note.partition("\n")[0]
    log = checkpoint_log(receipt)
    if kept != log:
        why = f"{path} is of the log {kept}, the record is in {log}"
        way = "/ledger/LOG/successor leads from a log whose key was rotated to the next"
        raise Failed(f"{why}, and no log begins with another: {way}")


def checkpoint_log(receipt: bytes) -> str:
    """The log that a receipt's checkpoint is of."""
    from inland.ledger import canonical

    return str(canonical.decode(receipt)["checkpoint"]).partition("\n")[0]

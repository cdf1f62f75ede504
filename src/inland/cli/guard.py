"""`inland guard`: what is looked for in what tenants send and are answered."""

from bisect import bisect_right
from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Find secrets and personal numbers.", no_args_is_help=True)

FILE_LIMIT_BYTES = 16 * 1024 * 1024

Finds = Annotated[list[str] | None, typer.Option("--find", help="A recogniser; repeatable.")]
Patterns = Annotated[
    list[str] | None, typer.Option("--pattern", help="A regular expression; repeatable.")
]


@app.command("test")
def look(
    file: Annotated[Path, typer.Argument(help="A text file.", metavar="FILE")],
    find: Finds = None,
    pattern: Patterns = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say what would be found in a file: by every recogniser, unless some are named. Reads that
    file only; `--home` changes nothing."""
    from inland.decide.guard.recognisers import RECOGNISERS
    from inland.decide.guard.rules import Rules
    from inland.decide.guard.scanning import found_in
    from inland.domain.guards import Act, Guard

    del home
    named = tuple(find or ()) if find or pattern else tuple(RECOGNISERS)
    guards = [Guard(name, Act.NOTE, finds=(name,)) for name in named]
    guards += [Guard(text, Act.NOTE, patterns=(text,)) for text in pattern or ()]
    text = _read(file)
    lines = [0, *(at + 1 for at, sign in enumerate(text) if sign == "\n")]
    rows = [
        _row(text, lines, one.start, one.end) | {"rule": one.rule.guard}
        for one in found_in(Rules(tuple(guards)), text)
    ]
    show.rows(rows, _FOUND, json_too=json)


@app.command()
def recognisers(home: HomeOption = None, json: JsonOption = False) -> None:
    """List what a guard knows how to find by itself. `--home` changes nothing."""
    from inland.decide.guard.recognisers import RECOGNISERS

    del home
    known = [{"name": one.name, "says": one.says} for one in RECOGNISERS.values()]
    show.rows(known, [("NAME", show.field("name")), ("WHAT", show.field("says"))], json_too=json)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None
    if len(data) > FILE_LIMIT_BYTES:
        raise Failed(f"{file} is larger than {FILE_LIMIT_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Failed(f"{file} is not UTF-8 text") from None


def _row(text: str, lines: list[int], start: int, end: int) -> dict[str, Any]:
    """`lines`: where each begins."""
    line = bisect_right(lines, start)
    return {"line": line, "column": start - lines[line - 1] + 1, "text": text[start:end]}


_FOUND: list[show.Column] = [
    ("LINE", show.field("line")),
    ("COLUMN", show.field("column")),
    ("RULE", show.field("rule")),
    ("TEXT", show.field("text")),
]

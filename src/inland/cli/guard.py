"""`inland guard`: what is looked for in what tenants send and are answered."""

from bisect import bisect_right
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption
from inland.domain.guards import Act, Guard, Side

app = typer.Typer(help="Find secrets and personal numbers.", no_args_is_help=True)

FILE_LIMIT_BYTES = 16 * 1024 * 1024

Finds = Annotated[list[str] | None, typer.Option("--find", help="A recogniser; repeatable.")]
Patterns = Annotated[
    list[str] | None, typer.Option("--pattern", help="A regular expression; repeatable.")
]


class Fails(StrEnum):
    """What a classifier's silence comes to."""

    CLOSED = "closed"
    OPEN = "open"


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="What records call it.", metavar="NAME")],
    *,
    act: Annotated[Act, typer.Option(help="What is done about it.")],
    find: Finds = None,
    pattern: Patterns = None,
    on: Annotated[
        list[Side] | None, typer.Option(help="Where; repeatable.", show_default="both")
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(help="Of one deployment.", show_default="every one")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Of one tenant.", show_default="every one")
    ] = None,
    classifier: Annotated[
        str | None, typer.Option(help="A deployment to ask about texts.", metavar="DEPLOYMENT")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="What it is asked for: whether a text has this.")
    ] = None,
    fails: Annotated[
        Fails, typer.Option(help="Where it gives no answer: refuse, or let go on.")
    ] = Fails.CLOSED,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Look for something from now on, or anew: in force everywhere when this returns."""
    body: dict[str, Any] = {
        "name": name,
        "act": act.value,
        "finds": find or [],
        "patterns": pattern or [],
        "on": [side.value for side in on or Side],
        "deployment": deployment,
        "tenant": tenant,
        "classifier": classifier,
        "category": category,
        "fails": fails.value,
    }
    with calling(home) as factory:
        told = factory.set_guard(body)
    if json:
        show.as_json(told)
        return
    whose = f"{tenant or 'every tenant'} on {deployment or 'every deployment'}"
    show.line(f"{name}: {act.value} in {' and '.join(told['on'])} of {whose}, in force")


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List guards."""
    with calling(home) as factory:
        guards = factory.guards()
    show.rows(guards, _GUARDS, json_too=json)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Look no more by a guard."""
    with calling(home) as factory:
        factory.remove_guard(name)
    show.as_json({"name": name}) if json else show.line(f"guard {name} is removed")


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
    from inland.decide.guard.rules import ready
    from inland.decide.guard.scanning import found_in

    del home
    named = tuple(find or ()) if find or pattern else tuple(RECOGNISERS)
    guards = [Guard(name, Act.NOTE, finds=(name,)) for name in named]
    guards += [Guard(text, Act.NOTE, patterns=(text,)) for text in pattern or ()]
    rules, text = ready(tuple(guards)), _read(file)
    assert rules is not None, "something is looked for"
    lines = [0, *(at + 1 for at, sign in enumerate(text) if sign == "\n")]
    rows = [
        _row(text, lines, one.start, one.end) | {"rule": one.rule.guard}
        for one in found_in(rules, text)
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


_GUARDS: list[show.Column] = [
    ("NAME", show.field("name")),
    ("ACT", show.field("act")),
    ("FINDS", show.field("finds")),
    ("PATTERNS", show.field("patterns")),
    ("ASKS", lambda row: f"{row['classifier']}: {row['category']}" if row["classifier"] else ""),
    ("ON", show.field("on")),
    ("DEPLOYMENT", lambda row: row["deployment"] or "every one"),
    ("TENANT", lambda row: row["tenant"] or "every one"),
    ("DECLARED", show.field("declared")),
]
_FOUND: list[show.Column] = [
    ("LINE", show.field("line")),
    ("COLUMN", show.field("column")),
    ("RULE", show.field("rule")),
    ("TEXT", show.field("text")),
]

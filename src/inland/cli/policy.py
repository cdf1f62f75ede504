"""`inland policy`: what may be processed where, as Cedar policies in files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption

app = typer.Typer(help="Check, apply and explain policies.", no_args_is_help=True)

FILES_LIMIT = 64
FILE_LIMIT_BYTES = 256 * 1024
_SUFFIXES = (".cedar", ".cedarschema")

Folder = Annotated[Path, typer.Argument(help="A folder of *.cedar files.", metavar="DIR")]


@app.command()
def check(folder: Folder, home: HomeOption = None, json: JsonOption = False) -> None:
    """Say what is wrong with a policy set. Reads files only; `--home` changes nothing."""
    from inland.decide.policy_set import check_policies

    del home
    problems = check_policies(read_policies(folder))
    if json:
        show.as_json({"ok": not problems, "problems": problems})
    elif not problems:
        show.line(f"{folder}: these policies can be applied")
    else:
        for problem in problems:
            show.line(problem)
    if problems:
        raise typer.Exit(1)


@app.command()
def apply(folder: Folder, home: HomeOption = None, json: JsonOption = False) -> None:
    """Decide by these policies from now on: whole or not at all, without a restart."""
    files = read_policies(folder)
    with calling(home) as factory:
        told = factory.apply_policies(files)
    show.as_json(told) if json else show.line(f"policies in force: {told.get('digest', folder)}")


@app.command()
def explain(
    reference: Annotated[
        str | None, typer.Argument(help="A receipt's reference.", metavar="[REF]")
    ] = None,
    *,
    tenant: Annotated[str | None, typer.Option(help="Who: a tenant.")] = None,
    key: Annotated[str | None, typer.Option(help="Who: a key's id.")] = None,
    action: Annotated[str, typer.Option(help="What for.")] = "serve",
    deployment: Annotated[str | None, typer.Option(help="What: a deployment.")] = None,
    model: Annotated[str | None, typer.Option(help="What: a model.")] = None,
    place: Annotated[
        str | None, typer.Option(help="Where: CC, or CC/CC with who operates it.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say which policy decided: then, for a receipt; now, for a question."""
    question: dict[str, Any]
    if reference is not None:
        question = {"ref": reference}
    elif tenant or key:
        who = {"who": key or tenant, "action": action}
        what = {"deployment": deployment, "model": model, "place": place}
        question = who | {name: value for name, value in what.items() if value is not None}
    else:
        raise Failed("say whose decision: a receipt's reference, or --tenant or --key")
    with calling(home) as factory:
        told = factory.explain(question)
    show.as_json(told) if json else _explained(told)


def _explained(told: dict[str, Any]) -> None:
    rules = ", ".join(told.get("decided_by") or []) or "no rule matched"
    show.line(f"{told.get('decision')}: {rules}")
    place = told.get("place") or {}
    if place:
        show.line(f"place: stands in {place.get('stands')}, operated from {place.get('operated')}")
    for name in ("model", "deployment", "remedy", "policy"):
        if told.get(name):
            show.line(f"{name}: {told[name]}")
    for text in (told.get("rules") or {}).values():
        show.line(f"\n{text}")


def read_policies(folder: Path) -> dict[str, str]:
    """The policy files of a folder by name. Raises Failed."""
    if not folder.is_dir():
        raise Failed(f"{folder} is not a folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if not paths or len(paths) > FILES_LIMIT:
        raise Failed(f"{folder} must hold between 1 and {FILES_LIMIT} *.cedar files")
    for path in paths:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise Failed(f"{path} is larger than {FILE_LIMIT_BYTES} bytes")
    try:
        return {path.name: path.read_text("utf-8") for path in paths}
    except UnicodeDecodeError:
        raise Failed(f"{folder}: a file is not UTF-8 text") from None

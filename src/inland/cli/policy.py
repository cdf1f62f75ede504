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
    from inland.decide.policy_set import check_policies, missing_permits

    del home
    files = read_policies(folder)
    problems = check_policies(files)
    missing = [] if problems else missing_permits(files)
    if json:
        show.as_json({"ok": not problems, "problems": problems, "missing": missing})
    elif not problems:
        show.line(f"{folder}: these policies can be applied")
    if not json:
        for told in problems + missing:
            show.line(told)
    if problems:
        raise typer.Exit(1)


@app.command()
def defaults(
    folder: Annotated[Path, typer.Argument(help="A folder; made if need be.", metavar="DIR")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write those default policies that a folder does not have; it changes none."""
    from inland.decide.policy_set import default_files

    del home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [name for name, text in default_files().items() if _write(folder / name, text)]
    except OSError as error:
        raise Failed(f"{folder}: {error.strerror}") from None
    if json:
        show.as_json({"written": written})
        return
    show.line(f"{folder}: {', '.join(written)} written" if written else f"{folder} has them all")


def _write(path: Path, text: str) -> bool:
    """Whether there was none."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


@app.command()
def apply(folder: Folder, home: HomeOption = None, json: JsonOption = False) -> None:
    """Decide by these policies from now on: whole or not at all, without a restart."""
    from inland.decide.policy_set import missing_permits

    files = read_policies(folder)
    with calling(home) as factory:
        told = factory.apply_policies(files)
    if json:
        show.as_json(told)
        return
    show.line(f"policies in force: {told.get('digest', folder)}")
    for one in missing_permits(files):
        show.line(one)


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
    asset: Annotated[str | None, typer.Option(help="What: an asset's id.")] = None,
    place: Annotated[
        str | None, typer.Option(help="Where: CC, or CC/CC with who operates it.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Where to, of an asset: as --place.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say which policy decided: then, for a receipt; now, for a question."""
    question: dict[str, Any]
    if reference is not None:
        question = {"ref": reference}
    elif tenant or key:
        who = {"who": key or tenant, "action": action}
        what = {"deployment": deployment, "model": model, "asset": asset}
        what |= {"place": place, "destination": to}
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
    for name in ("model", "deployment", "asset", "remedy", "policy"):
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

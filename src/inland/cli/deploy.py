"""`inland deploy`: models being served. A deployment's name is its model id in /v1."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import profile, show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption, split

app = typer.Typer(help="Add, list, show, scale and remove deployments.", no_args_is_help=True)

KEY_FILE_LIMIT_BYTES = 8192


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its model id in /v1.")],
    *,
    engine: Annotated[
        str,
        typer.Option(help="llama.cpp, vllm, or openai for a server that already exists."),
    ] = "llama.cpp",
    model: Annotated[
        str | None,
        typer.Option(help="llama.cpp, vllm: the model to load; asset:ID for one in the vault."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="openai: its base URL, with /v1.")] = None,
    upstream_model: Annotated[
        str | None, typer.Option(help="openai: the model's name there.")
    ] = None,
    jurisdiction: Annotated[
        str | None, typer.Option(help="openai: the country it stands in, CC.")
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(help="openai: the country of who operates it.", show_default="the same"),
    ] = None,
    supports: Annotated[
        str | None,
        typer.Option(
            help="openai: what it can be asked, as in chat,tools; `deploy show` has the words.",
            show_default="chat,system,logprobs",
        ),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="openai: a file with its bearer token.")
    ] = None,
    permit_endpoint: Annotated[
        bool,
        typer.Option("--permit-endpoint", help="openai: allow its private or local address."),
    ] = False,
    slots: Annotated[int | None, typer.Option(help="Requests it works on at once.")] = None,
    context: Annotated[
        int | None, typer.Option(help="llama.cpp, vllm: tokens per request.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="llama.cpp: processor threads; vllm: accelerators.")
    ] = None,
    replicas: Annotated[int | None, typer.Option(help="llama.cpp, vllm: copies of it.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve a model here, or one on a server that already exists."""
    body: dict[str, Any] = {
        "name": name,
        "engine": engine,
        "model": model,
        "url": url,
        "upstream_model": upstream_model,
        "jurisdiction": jurisdiction,
        "operator": operator,
        "supports": split(supports),
        "token": None if key_file is None else read_token(key_file),
        "permit_endpoint": permit_endpoint or None,
        "slots": slots,
        "context": context,
        "threads": threads,
        "replicas": replicas,
    }
    with calling(home) as factory:
        told = factory.add_deployment({k: value for k, value in body.items() if value is not None})
    show.as_json(told) if json else show.line(f"deployment {name} added")


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """List deployments and where they stand."""
    with calling(home) as factory:
        deployments = factory.deployments()
    columns = [
        ("DEPLOYMENT", show.field("name")),
        ("ENGINE", show.field("engine")),
        ("MODEL", lambda row: row.get("upstream_model") or row.get("model")),
        ("STANDS", show.field("place.stands")),
        ("OPERATED", show.field("place.operated")),
        ("SLOTS", show.field("slots")),
        ("REPLICAS", lambda row: _by_state(row["replicas"])),
        ("URL", show.field("url")),
        ("DECLARED", show.field("declared")),
    ]
    show.rows(deployments, columns, json_too=json)


@app.command("show")
def show_(
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show one deployment: its replicas, what it can be asked, and its capacity as measured."""
    with calling(home) as factory:
        told = factory.deployment(name)
    if json:
        show.as_json(told)
        return
    served = told.get("upstream_model") or told["model"]
    replicas = ", ".join(f"{one['id']} {one['state']}" for one in told["replicas"]) or "none"
    show.line(f"{name}: {served} on {told['engine']}; replicas: {replicas}")
    if told["held_back"]:
        show.line(f"not served: {told['held_back']}")
    columns = [
        ("FEATURE", show.field("feature")),
        ("SUPPORTED", show.field("supported")),
        ("BECAUSE OF", show.field("because")),
        ("WHAT IT IS", show.field("means")),
    ]
    show.rows(told["supports"], columns, json_too=False)
    show.line("")
    profile.show_profile(name, told["profile"])


@app.command()
def measure(
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what one replica of it can do, beside its tenants' traffic; about a minute."""
    with calling(home) as factory:
        measured = profile.measured(factory, name)
        told = factory.deployment(name)["profile"]
    if json:
        show.as_json({"deployment": name, **measured, "profile": told})
        return
    profile.show_profile(name, told)
    if measured["left_out"]:
        show.line(
            f"{measured['left_out']} of {measured['rungs']} rungs were left out: there was no time"
            " for them, or no room beside what ran."
        )


@app.command()
def scale(
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    replicas: Annotated[int, typer.Argument(help="Copies of it; 0 keeps it, and serves none.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve it by more or fewer replicas; those beyond them end what they have first."""
    with calling(home) as factory:
        told = factory.scale_deployment(name, replicas)
    if json:
        show.as_json(told)
        return
    show.line(f"{name} is to have {replicas} replicas; `inland deploy show {name}` says how far")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The deployment's name.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve it no more; returns when no gateway does. What runs is cut: scale it to 0 first, and
    that ends by itself."""
    with calling(home) as factory:
        factory.remove_deployment(name)
    show.as_json({"name": name, "removed": True}) if json else show.line(f"{name} is removed")


def _by_state(replicas: list[dict[str, str]]) -> str:
    """`2 ready, 1 draining`."""
    counted = Counter(one["state"] for one in replicas)
    return ", ".join(f"{count} {state}" for state, count in counted.items()) or "none"


def read_token(path: Path) -> str:
    """The bearer token in a file. Raises Failed when it is empty or no token's size."""
    with path.open("rb") as file:
        data = file.read(KEY_FILE_LIMIT_BYTES + 1)
    token = data.strip()
    if not token or len(data) > KEY_FILE_LIMIT_BYTES or not token.isascii():
        raise Failed(f"{path} holds no token (ASCII, at most {KEY_FILE_LIMIT_BYTES} bytes)")
    return token.decode("ascii")

"""`inland release`: a tenant's own models, from proposal to live and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inland.adapters.files.clock import SystemClock
from inland.cli import show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.files import put_pieces
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import steps_bar
from inland.cli.release_compared import tell
from inland.cli.release_proof import proof as proven
from inland.cli.times import utc

if TYPE_CHECKING:
    from inland.client import FactoryClient

app = typer.Typer(
    help="Propose, approve, compare and take back releases of tenants' models.",
    no_args_is_help=True,
)

#: Pause between two looks at a release that is waited for, in seconds.
LOOK_S = 0.2

Id = Annotated[str, typer.Argument(help="The release's id.", metavar="RELEASE")]


@app.command()
def propose(
    name: Annotated[str, typer.Argument(help="The model's name in /v1.", metavar="NAME")],
    adapter: Annotated[str, typer.Option(help="The tenant's asset: a LoRA adapter as GGUF.")],
    deployment: Annotated[str, typer.Option(help="What it stands on.")],
    *,
    percent: Annotated[
        list[int] | None,
        typer.Option(help="Of its users in turn; repeatable.", show_default="10, 50, 100"),
    ] = None,
    soak: Annotated[
        int | None, typer.Option(help="Seconds at each percentage.", show_default="600")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Answers that say something.", show_default="50")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="A digest it was trained on; repeatable.")
    ] = None,
    score: Annotated[list[str] | None, typer.Option(help="SUITE=VALUE; repeatable.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of its training; repeatable.")
    ] = None,
    code: Annotated[str, typer.Option(help="The version that trained it.")] = "",
    gate: Annotated[str, typer.Option(help="The gate's verdict.")] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put a release up for approval: its adapter is decided on and inspected, nothing serves it."""
    pace = {"percents": percent, "soak_s": soak, "samples": samples}
    body: dict[str, Any] = {
        "name": name,
        "deployment": deployment,
        "adapter": adapter.removeprefix("asset:"),
        "pace": {field: value for field, value in pace.items() if value is not None},
        "evidence": {
            "code": code,
            "gate": gate,
            "data": data or [],
            "scores": _pairs("--score", score),
            "parameters": _pairs("--parameter", parameter),
        },
    }
    with calling(home) as factory:
        told = factory.propose_release(body)
    if json:
        show.as_json(told)
    else:
        show.line(f"{name} of {told['tenant']} is proposed: inland release approve {told['id']}")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Its own alone.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List releases, the newest first."""
    with calling(home) as factory:
        found = factory.releases(tenant)
    show.rows(found, _RELEASES, json_too=json)


@app.command("show")
def show_(release: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show a release: what it is made of, how it came here and how it goes."""
    with calling(home) as factory:
        told = factory.release(release)
    if json:
        show.as_json(told)
        return
    compared = told.pop("compared")
    rows = [{"name": name, "value": value} for name, value in _flat(told).items()]
    show.rows(rows, _FIELDS, json_too=False)
    if compared is not None:
        show.line("")
        tell(compared)


@app.command()
def approve(
    release: Id,
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait until it is out.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Sign a release and have it go out: to the first of its users, or to all where nothing of its
    name is live. Returns once it is out.

    Ends with 1 where engines do not start with it.
    """
    with calling(home) as factory:
        told = factory.approve_release(release)
        if not detach:
            told = _awaited(factory, told)
    show.as_json(told) if json else show.line(_how(told))
    if told["state"] not in {"approved", "rolling-out", "live"}:
        raise typer.Exit(1)


@app.command()
def rollback(release: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Take a release back: what was live before it answers alone when this returns."""
    with calling(home) as factory:
        told = factory.roll_release_back(release)
    show.as_json(told) if json else show.line(_how(told))


@app.command()
def diff(
    release: Id,
    other: Annotated[
        str | None,
        typer.Argument(
            help="Another release.", metavar="OTHER", show_default="what was live before it"
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show in what two releases differ."""
    with calling(home) as factory:
        new = factory.release(release)
        old = factory.release(other or new["before"] or _live(factory, new))
    one, two = _flat(old), _flat(new)
    rows = [
        {"name": name, "before": one.get(name), "after": two.get(name)}
        for name in dict.fromkeys([*one, *two])
        if one.get(name) != two.get(name)
    ]
    show.rows(rows, _DIFFERENCES, json_too=json)


@app.command()
def statement(release: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Print what was signed when a release was approved: an in-toto statement with SLSA provenance
    in a DSSE envelope, under `models/keys`' public key."""
    with calling(home) as factory:
        told = factory.release_statement(release)
    show.as_json(told) if json else show.line(told["envelope"])


@app.command()
def proof(
    release: Id,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to put it.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Get the proof of a release: one file with what was signed, the steps of the run that made it,
    and a receipt of each record; verifier/inland_verify.py checks it with two public keys."""
    with calling(home) as factory, steps_bar("proof") as advance:
        size = put_pieces(output, proven(factory, release, advance))
    told = {"release": release, "file": str(output), "bytes": size}
    show.as_json(told) if json else show.line(f"proof of {release} in {output} ({size} bytes)")


def _awaited(factory: "FactoryClient", told: dict[str, Any]) -> dict[str, Any]:
    clock = SystemClock()
    while told["state"] == "approved":
        clock.sleep(LOOK_S)
        told = factory.release(told["id"])
    return told


def _live(factory: "FactoryClient", release: dict[str, Any]) -> str:
    """What is live under its name. Raises Failed."""
    for one in factory.releases(release["tenant"]):
        if one["name"] == release["name"] and one["state"] == "live" and one["id"] != release["id"]:
            return str(one["id"])
    raise Failed(f"nothing of the name {release['name']} was live before: name another release")


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for one in given or ():
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise Failed(f"{option} {one}: write NAME=VALUE")
        pairs[name] = value
    return pairs


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """A release's fields, those inside others under both names."""
    flat: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": each for inner, each in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _how(told: dict[str, Any]) -> str:
    text = f"{told['name']} of {told['tenant']} is {told['state']}"
    if told["state"] == "rolling-out":
        text += f": {told['percent']} % of its users"
    return f"{text}: {told['why']}" if told["why"] else text


_RELEASES: list[show.Column] = [
    ("RELEASE", show.field("id")),
    ("TENANT", show.field("tenant")),
    ("MODEL", show.field("name")),
    ("STATE", show.field("state")),
    ("PERCENT", show.field("percent")),
    ("ON", show.field("deployment")),
    ("SINCE", lambda row: utc(row["since"])),
    ("WHY", show.field("why")),
]
_FIELDS: list[show.Column] = [("FIELD", show.field("name")), ("VALUE", show.field("value"))]
_DIFFERENCES: list[show.Column] = [
    ("FIELD", show.field("name")),
    ("BEFORE", show.field("before")),
    ("AFTER", show.field("after")),
]

"""`inland asset`: tenants' labelled data: added, shown, shared, moved, taken away, erased."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inland.cli import show
from inland.cli.asking import demand_yes
from inland.cli.asset_content import fetched, moved, uploaded
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.files import put_whole
from inland.cli.options import HomeOption, JsonOption, split
from inland.cli.times import utc
from inland.domain.assets import AssetKind
from inland.domain.labels import Classification

if TYPE_CHECKING:
    from inland.client import FactoryClient

#: Looks for a certificate, some seconds each.
LOOKS = 10

app = typer.Typer(
    help="Add, list, share, move, export and erase tenants' data.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(help="The asset's id.")]
Jurisdictions = Annotated[
    str | None,
    typer.Option(help="Where it may be processed: CC,…", show_default="its tenant's"),
]
Storage = Annotated[
    str | None,
    typer.Option(help="Where it may be stored: CC,…", show_default="the same"),
]
Class_ = Annotated[
    Classification | None,
    typer.Option(help="How sensitive it is.", show_default="its tenant's"),
]
Purposes = Annotated[
    str | None,
    typer.Option(
        help="What it may be used for: serve,train,evaluate,retrieve,export; '' for nothing.",
        show_default="all",
    ),
]
Derived = Annotated[
    str | None,
    typer.Option(help="What may be done with what is made of it.", show_default="all"),
]
Retention = Annotated[
    int | None,
    typer.Option(help="Days after which it is erased.", show_default="its tenant's"),
]


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="The file to add.")],
    *,
    name: Annotated[str, typer.Option(help="Its name; one that is there gets a new version.")],
    kind: Annotated[AssetKind, typer.Option(help="What it is.")] = AssetKind.DATASET,
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is.", show_default="the key's")
    ] = None,
    title: Annotated[str, typer.Option(help="What people read.")] = "",
    made_from: Annotated[
        list[str] | None, typer.Option("--from", help="An asset it was made from; repeatable.")
    ] = None,
    run: Annotated[str, typer.Option(help="The run that made it.")] = "",
    jurisdictions: Jurisdictions = None,
    storage: Storage = None,
    classification: Class_ = None,
    purposes: Purposes = None,
    derived_purposes: Derived = None,
    retention_days: Retention = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Add a file as an asset. One that was cut goes on when the same file is added again."""
    label = _terms(
        jurisdictions, storage, classification, purposes, derived_purposes, retention_days
    )
    wanted = {"tenant": tenant, "kind": kind.value, "name": name, "title": title, "run": run}
    with calling(home) as factory:
        told = uploaded(factory, path, {**wanted, "parents": made_from or [], "label": label})
    if json:
        show.as_json(told)
    else:
        show.line(f"{told['id']} is version {told['version']} of {name} ({told['bytes']} bytes)")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Its own alone.")] = None,
    erased: Annotated[bool, typer.Option("--erased", help="What was erased, too.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List assets."""
    with calling(home) as factory:
        found = factory.assets(tenant, erased=erased)
    columns = [
        ("ASSET", show.field("id")),
        ("TENANT", show.field("tenant")),
        ("KIND", show.field("kind")),
        ("NAME", show.field("name")),
        ("VERSION", show.field("version")),
        ("STATE", show.field("state")),
        ("BYTES", show.field("bytes")),
        ("CLASSIFICATION", show.field("label.classification")),
        ("JURISDICTIONS", show.field("label.jurisdictions")),
        ("PURPOSES", show.field("label.purposes")),
    ]
    show.rows(found, columns, json_too=json)


@app.command("show")
def show_(asset: Id, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show an asset: its label, what it was made from, whom it is shared with."""
    with calling(home) as factory:
        told = factory.asset(asset)
    if json:
        show.as_json(told)
        return
    lies = told["lies"]
    flat = {**told, **told["label"]}
    del flat["label"]
    flat["created"] = utc(flat.pop("created_unix_us") // 1_000_000)
    ends = flat.pop("ends_unix_s")
    flat["ends"] = None if ends is None else utc(ends)
    flat["lies"] = lies and f"{lies['store']} ({lies['stands']}, operated from {lies['operated']})"
    rows = [{"name": name.replace("_", " "), "value": value} for name, value in flat.items()]
    columns = [("FIELD", show.field("name")), ("VALUE", show.field("value"))]
    show.rows(rows, columns, json_too=False)


@app.command()
def share(
    asset: Id,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="A tenant; '*' for every one. Repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A tenant that may not see it any more.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Let other tenants see and use an asset, or no more."""
    if not with_ and not without:
        raise Failed("say --with or --without a tenant")
    with calling(home) as factory:
        told = factory.share_asset(asset, with_ or [], without or [])
    shared = ", ".join(told["shared_with"] or []) or "nobody"
    show.as_json(told) if json else show.line(f"{asset} is shared with {shared}")


@app.command()
def label(
    asset: Id,
    *,
    jurisdictions: Jurisdictions = None,
    storage: Storage = None,
    classification: Class_ = None,
    purposes: Purposes = None,
    derived_purposes: Derived = None,
    retention_days: Retention = None,
    for_ever: Annotated[bool, typer.Option("--for-ever", help="No retention any more.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Change an asset's label; to allow more takes a key of a tenant-admin of its owner."""
    terms = _terms(
        jurisdictions, storage, classification, purposes, derived_purposes, retention_days
    )
    with calling(home) as factory:
        told = factory.label_asset(asset, {**terms, "for_ever": for_ever})
    show.as_json(told) if json else show.line(f"{asset} has another label")


@app.command()
def export(
    asset: Id,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to put its content.")],
    recipient: Annotated[
        str | None, typer.Option(help="Seal it for this age recipient (age1…).")
    ] = None,
    destination: Annotated[
        str | None,
        typer.Option(
            help="Where it goes: CC, or CC/CC (where it will stand, who operates that).",
            show_default="this site",
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take an asset's content away into a file, whole or not at all; a record says so."""
    with calling(home) as factory:
        told = fetched(factory, asset, output, destination, recipient)
    show.as_json(told) if json else show.line(f"{asset} in {output} ({told['bytes']} bytes)")


@app.command()
def move(
    asset: Id,
    to: Annotated[str, typer.Option(help="The store: inland vault status lists them.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Bring an asset's content to another store; nothing of it stays where it was.

    It goes on when this command is stopped, and when the factory is. To take it back, move it to
    where it lies.
    """
    with calling(home) as factory:
        told = moved(factory, asset, to)
    if json:
        show.as_json(told)
    else:
        show.line(f"{asset} lies in {to}")


@app.command()
def erase(
    asset: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where to put the certificate.", show_default="ID.erased.json"
        ),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Destroy an asset's key and all that was made of it; the certificate is a signed receipt."""
    demand_yes(f"Erase {asset} and what was made of it? Nothing brings it back", yes=yes)
    with calling(home) as factory:
        told: dict[str, Any] = factory.erase_asset(asset)
        while told["record"] is None:
            show.note(f"{asset} goes on being erased: it is closed to everybody")
            told = factory.erase_asset(asset)
        file = output or Path(f"{asset}.erased.json")
        put_whole(file, _certificate(factory, told["record"]))
    if json:
        show.as_json({**told, "certificate": str(file)})
        return
    what = ", ".join(f"{count} of kind {kind}" for kind, count in told["kinds"].items())
    show.line(f"{asset} is erased, {told['count']} in all ({what}); certified in {file}")
    if told["kept"]:
        show.line(f"{told['kept']} made of it are there still: {told['why']}")


def _certificate(factory: "FactoryClient", record: str) -> bytes:
    """The receipt of an erase's record, once a checkpoint covers it."""
    from inland.refusals import Refused

    for _ in range(LOOKS):
        with suppress(Refused):  # each look waits for a while by itself
            return factory.receipt(record)
    raise Failed(f"it is erased, and not certified yet: inland receipt get {record} -o FILE")


def _terms(
    jurisdictions: str | None,
    storage: str | None,
    classification: Classification | None,
    purposes: str | None,
    derived_purposes: str | None,
    retention_days: int | None,
) -> dict[str, Any]:
    """The fields of a label that were given."""
    given = {
        "jurisdictions": split(jurisdictions),
        "storage": split(storage),
        "classification": None if classification is None else classification.value,
        "purposes": split(purposes),
        "derived_purposes": split(derived_purposes),
        "retention_days": retention_days,
    }
    return {name: value for name, value in given.items() if value is not None}

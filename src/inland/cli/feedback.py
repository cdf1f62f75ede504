"""`inland feedback`: what a tenant's people say of answers, by receipt."""

from json import JSONDecodeError, loads
from pathlib import Path
from typing import Annotated, Any

import typer

from inland.cli import show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.files import read_text
from inland.cli.options import HomeOption, JsonOption
from inland.cli.times import utc
from inland.domain.thumbs import Thumbs

app = typer.Typer(
    help="Say what answers were worth, and make training data of it.", no_args_is_help=True
)

Receipt = Annotated[
    str, typer.Argument(help="The inland-receipt header, or the answer's id.", metavar="RECEIPT")
]


@app.command()
def give(
    receipt: Receipt,
    *,
    thumbs: Annotated[Thumbs, typer.Option(help="Whether it was a good answer.")],
    correction: Annotated[
        Path | None, typer.Option(help="A file: what the answer should have been.")
    ] = None,
    messages: Annotated[
        Path | None,
        typer.Option(help="A JSON file: what was asked, as messages or as the request's body."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say something of an answer, as one of the tenant that was given it: set INLAND_API_KEY. What
    was said of it before is replaced."""
    body: dict[str, Any] = {"receipt": receipt, "thumbs": thumbs.value}
    if correction is not None:
        body["correction"] = read_text(correction)
    if messages is not None:
        body["messages"] = _messages(messages)
    with calling(home) as factory:
        told = factory.give_feedback(body)
    if json:
        show.as_json(told)
    else:
        show.line(f"{told['thumbs']} for an answer of {told['model']}{_taught(told)}")


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Option(help="Of this model alone.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Its own alone.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List what was said, the newest thousand, without its words."""
    with calling(home) as factory:
        found = factory.feedback(tenant, model)
    columns = [
        ("RECEIPT", show.field("receipt")),
        ("TENANT", show.field("tenant")),
        ("MODEL", show.field("model")),
        ("RELEASE", show.field("release")),
        ("THUMBS", show.field("thumbs")),
        ("BOOK", show.field("book")),
        ("TEACHES", show.field("teaches")),
        ("WAITS", show.field("waits")),
        ("GIVEN", lambda row: utc(int(row["given"]))),
    ]
    show.rows(found, columns, json_too=json)


@app.command("show")
def show_(receipt: Receipt, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show what was said of one answer, its words too, to its tenant's own."""
    with calling(home) as factory:
        told = factory.feedback_on(receipt)
    if json:
        show.as_json(told)
        return
    show.line(f"{told['thumbs']} for an answer of {told['model']}{_taught(told)}")
    if told["words"]:
        show.line(loads(told["words"])["correction"])


@app.command()
def remove(receipt: Receipt, home: HomeOption = None, json: JsonOption = False) -> None:
    """Take back what was said of an answer; the next version that is collected is without it."""
    with calling(home) as factory:
        factory.remove_feedback(receipt)
    show.as_json({"removed": receipt}) if json else show.line("nothing is said of it any more")


@app.command()
def collect(
    model: Annotated[str, typer.Argument(help="The model that was asked.", metavar="MODEL")],
    *,
    name: Annotated[
        str, typer.Option(help="The dataset's name.", show_default="feedback-MODEL")
    ] = "",
    tenant: Annotated[
        str | None, typer.Option(help="Whose it is.", show_default="INLAND_API_KEY's")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a dataset of all that was said of a model's answers and can be learned from: the next
    version of its name, where something is new. A line names it as any data."""
    with calling(home) as factory:
        told = factory.collect_feedback(tenant, model, name)
    if json:
        show.as_json(told)
        return
    data = told["dataset"]
    what = f"{data['id']} is version {data['version']} of {data['name']}"
    show.line(f"{what}: {told['examples']} examples" + ("" if told["made"] else ", nothing new"))
    if "train" not in data["label"]["purposes"]:
        (book, *_) = data["parents"]
        why = "no run may train on it: its label does not say train"
        way = f"inland asset label {book} --derived-purposes allows it of the next version"
        show.note(f"{why}; {way}")


def _messages(path: Path) -> Any:
    try:
        told = loads(read_text(path))
    except JSONDecodeError as error:
        raise Failed(f"{path} is no JSON: {error}") from None
    return told.get("messages") if isinstance(told, dict) else told


def _taught(told: dict[str, Any]) -> str:
    if told["book"] is None:
        return ""
    return " with a correction" if told["teaches"] else " with a correction that cannot be learned"

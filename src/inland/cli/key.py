"""`inland key`: API keys, shown once."""

import re
from typing import Annotated, Any

import typer

from inland.adapters.files.clock import SystemClock
from inland.cli import show
from inland.cli.factory import calling
from inland.cli.options import HomeOption, JsonOption, split
from inland.cli.times import unix_seconds, utc
from inland.domain.errors import BadInput

app = typer.Typer(help="Add, list, rotate and revoke API keys.", no_args_is_help=True)

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhdw])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@app.command()
def add(
    tenant: Annotated[
        str | None, typer.Option(help="Whose key; none for an operator or an auditor.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="member, tenant-admin, auditor or operator.", show_default="member"),
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Only these models, NAME,….", show_default="all")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(help="When it ends: a span (12h, 30d) or a date.", show_default="never"),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key. It is shown once: only its hash is kept."""
    body: dict[str, Any] = {
        "tenant": tenant,
        "role": role or "member",
        "models": split(models) or [],
        "expires": None if expires is None else expiry(expires, _now_s()),
    }
    with calling(home) as factory:
        told = factory.add_key({name: value for name, value in body.items() if value is not None})
    if json:
        show.as_json(told)
    else:
        show.note(f"key {told['id']}, shown only now:")
        show.line(str(told["key"]))


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List keys; never their secrets."""
    with calling(home) as factory:
        keys = factory.keys(tenant)
    columns = [
        ("KEY", show.field("id")),
        ("TENANT", show.field("tenant")),
        ("ROLE", show.field("role")),
        ("MODELS", show.field("models")),
        ("EXPIRES (UNIX)", lambda row: row.get("expires", row.get("expires_unix_s"))),
        ("REVOKED", show.field("revoked")),
        ("ROTATED TO", show.field("successor")),
    ]
    show.rows(keys, columns, json_too=json)


@app.command()
def rotate(
    key: Annotated[str, typer.Argument(help="The key's id (never its secret).")],
    overlap: Annotated[
        str, typer.Option(help="How long the old key goes on: a span (12h, 7d), or 0.")
    ] = "24h",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key's successor, shown once. The old one goes on for the overlap, with 0 not at all.

    Returns when every gateway knows of both. keys/operator is renewed when its key is rotated.
    """
    with calling(home) as factory:
        told = factory.rotate_key(key, span_s(overlap, "overlap"))
    if json:
        show.as_json(told)
        return
    before = told["before"]
    ended = "is revoked" if before["revoked"] else f"ends at {utc(before['expires'])}"
    show.note(f"key {key} {ended}; its successor {told['id']}, shown only now:")
    show.line(str(told["key"]))


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id (never its secret).")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """End a key for good; returns when no gateway takes it any more."""
    with calling(home) as factory:
        told = factory.revoke_key(key)
    show.as_json(told) if json else show.line(f"key {key} is revoked")


def expiry(text: str, now_unix_s: int) -> int:
    """When a key ends, in Unix seconds, from a span such as 30d or a date. Raises BadInput."""
    is_span = _SPAN.match(text) is not None
    ends = now_unix_s + span_s(text, "expires") if is_span else unix_seconds(text, "expires")
    if ends <= now_unix_s:
        raise BadInput("expires", "lies in the past")
    return ends


def span_s(text: str, option: str) -> int:
    """Seconds of a span such as 90s, 12h or 30d, or 0. Raises BadInput."""
    span = _SPAN.match(text)
    if span is None and text != "0":
        raise BadInput(option, f"{text!r} is no span such as 12h or 30d, or 0")
    return int(span[1]) * _SECONDS[span[2]] if span else 0


def _now_s() -> int:
    return SystemClock().unix_us() // 1_000_000

"""`inland verify`: what a receipt proves. Reads files only."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.files import read_bytes, read_text
from inland.cli.options import HomeOption, JsonOption

#: What of a record is said to a person; `--json` shows all of it.
_TOLD = (
    *("id", "tenant", "deployment", "model", "prompt_tokens", "completion_tokens", "outcome"),
    *("what", "subject"),
)


def verify(
    receipt: Annotated[Path, typer.Argument(help="The receipt.", metavar="FILE")],
    *,
    vkey: Annotated[Path, typer.Option(help="A file with the log's public key.")],
    entry: Annotated[
        str | None, typer.Option(help="The inland-entry that came with the answer.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="The record's key, from `receipt open`: 64 hex digits, or a file of them."
        ),
    ] = None,
    body: Annotated[
        Path | None, typer.Option("--input", help="The request's body as it was sent.")
    ] = None,
    output: Annotated[
        list[Path] | None, typer.Option(help="The answer's text; once per choice, in order.")
    ] = None,
    kept: Annotated[
        Path | None, typer.Option(help="An older checkpoint the log must still begin with.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a receipt offline, with one public key. `--home` changes nothing."""
    from inland.ledger import receipts
    from inland.ledger.rotation import successor

    del home
    told = receipts.verify(
        read_bytes(receipt),
        read_text(vkey).removesuffix("\n"),
        receipts.Kept(
            entry=entry,
            key=None if key is None else receipts.parse_key(_text_or_file(key)),
            input=None if body is None else read_bytes(body),
            outputs=tuple(read_bytes(path) for path in output or ()),
            checkpoint=None if kept is None else read_text(kept),
        ),
    )
    checkpoint = {"origin": told.checkpoint.origin, "size": told.checkpoint.size}
    named = successor(told)
    facts = {"entry": told.entry, "compared": list(told.compared), "checkpoint": checkpoint}
    if json:
        following = {} if named is None else {"successor": asdict(named)}
        show.as_json({"ok": True, **facts, **following, "record": told.record})
        return
    show.line(f"verified: {told.record['kind']} in {checkpoint['origin']}")
    for name in _TOLD:
        if told.record.get(name) is not None:
            show.line(f"{name.replace('_', ' ')}: {told.record[name]}")
    show.line(f"entry {told.entry}, under {checkpoint['size']} entries of the log")
    if named is not None:
        show.line(f"this log ended ({named.why}); the next one's public key is:")
        show.line(named.vkey)
    if told.compared:
        show.line(f"fits what was kept: {', '.join(told.compared)}")


def _text_or_file(key: str) -> str:
    return read_text(Path(key)).strip() if Path(key).is_file() else key

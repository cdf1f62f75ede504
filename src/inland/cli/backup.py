"""`inland backup` and `inland restore`: a home as one file, and back where none is."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import home_of, made_home
from inland.cli.options import HomeOption, JsonOption
from inland.cli.program import call
from inland.cli.progress import bytes_bar
from inland.cli.times import utc

#: How far a backup gives way to a factory that serves (nice, 0 to 19).
NICE = 10

PassphraseOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="A file whose one line seals it (age).")
]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to put it; there must be nothing yet.")],
    passphrase_file: PassphraseOption = None,
    with_models: Annotated[
        bool, typer.Option("--with-models", help="Hold the models' weights and signatures too.")
    ] = False,
    without_content: Annotated[
        bool, typer.Option("--without-content", help="Leave the sealed content of assets out.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write the whole factory into one file, while it runs or not."""
    from inland.adapters.archive.sealed import read_passphrase
    from inland.bootstrap.backup import Sizes, Wanted, back_up

    def tell(sizes: Sizes) -> None:
        what = f"books {sizes.books}, models {sizes.models}, content of assets {sizes.content}"
        show.note(f"it takes {sizes.total} bytes and a little more ({what})")

    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    os.nice(NICE)
    made = back_up(
        made_home(home),
        file.absolute(),
        passphrase=passphrase,
        wanted=Wanted(models=with_models, content=not without_content),
        bar=bytes_bar,
        tell=tell,
    )
    for left in made.left_out:
        show.note(f"left out: {left.path} ({left.why})")
    if made.missing:
        show.note(
            f"{len(made.missing)} assets lack content or were moved meanwhile "
            f"({made.missing[0]}, …): take it again; inland vault check names parts that are gone"
        )
    if passphrase is None:
        show.note(
            "it is not sealed and holds the factory's keys: whoever reads it has the factory "
            "(--passphrase-file seals it)"
        )
    if json:
        show.as_json({**asdict(made), "file": str(made.file)})
        return
    show.line(f"backup in {file}: {made.records} records, {made.bytes} bytes, sha256 {made.sha256}")


def restore(
    file: Annotated[Path, typer.Argument(help="What inland backup wrote.")],
    passphrase_file: PassphraseOption = None,
    revoke_keys: Annotated[
        bool, typer.Option("--revoke-keys", help="Revoke every API key; the operator's is new.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a home from a backup, where none is; its log is a new one that names the old."""
    from inland.adapters.archive.sealed import read_passphrase
    from inland.bootstrap.restore import restore as restored_from

    passphrase = None if passphrase_file is None else read_passphrase(passphrase_file)
    found = home_of(home)
    done = restored_from(file, found, passphrase=passphrase, revoke_keys=revoke_keys, bar=bytes_bar)
    if json:
        show.as_json({**asdict(done), "home": str(found.root)})
        return
    when = utc(done.taken_unix_us // 1_000_000)
    show.line(f"restored to {found.root}: {done.records} records, the factory of {when}")
    if revoke_keys:
        show.line(f"its {done.revoked_keys} API keys are revoked; make new ones: inland key add")
    else:
        show.line(
            f"WHAT CHANGED SINCE {when} IS UNDONE: keys revoked since WORK AGAIN ({done.live_keys} "
            "work now), tenants suspended since are served, policies and labels are those of then"
        )
        show.line(
            f"look before you serve: {call('key list', found.root)}; or restore with --revoke-keys"
        )
        if done.new_operator:
            show.line("the operator's key in it has ended or is not of it: keys/operator is new")
    show.line("its log goes on as a new one with a new key, and names the last head of the old")
    if done.vkey is not None:
        show.line(
            f"receipts made before verify with: {done.vkey} (of earlier logs: "
            f"{call('ledger vkey --all', found.root)})"
        )
    for path in done.left_out:
        show.line(f"not in the backup: {path}")
    show.line(f"start it with: {call('up', found.root)}")

"""`inland doctor`: what is wrong with this machine or home, and what to do. Changes nothing."""

from dataclasses import asdict
from typing import Annotated

import typer

from inland.cli import show
from inland.cli.factory import made_home
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import waiting


def doctor(
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 for what is warned of, too.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Examine machine, home, models, books and processes, with or without a running factory.

    Exits 0 where nothing is bad, 1 where something is.
    """
    from inland.adapters.host.findings import Health
    from inland.bootstrap.doctor import examine

    with waiting("examining") as say:
        findings = examine(made_home(home), say)
    columns = [
        ("WHAT", show.field("what")),
        ("HEALTH", show.field("health")),
        ("FOUND", show.field("told")),
        ("WHAT TO DO", show.field("remedy")),
    ]
    show.rows([asdict(one) for one in findings], columns, json_too=json)
    wrong = {Health.BAD, Health.WARN} if strict else {Health.BAD}
    if any(one.health in wrong for one in findings):
        raise typer.Exit(1)

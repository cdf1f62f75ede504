"""`inland doctor`: what is wrong with this machine or home, and what to do. Reads files only."""

from dataclasses import asdict

import typer

from inland.cli import show
from inland.cli.factory import made_home
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import waiting


def doctor(home: HomeOption = None, json: JsonOption = False) -> None:
    """Examine disk, memory, clock, limits, permissions, models and books; exit 1 if one is bad."""
    from inland.adapters.host.findings import Health
    from inland.bootstrap.doctor import examine

    with waiting("examining"):
        findings = examine(made_home(home))
    columns = [
        ("WHAT", show.field("what")),
        ("HEALTH", show.field("health")),
        ("FOUND", show.field("told")),
        ("WHAT TO DO", show.field("remedy")),
    ]
    show.rows([asdict(one) for one in findings], columns, json_too=json)
    if any(one.health is Health.BAD for one in findings):
        raise typer.Exit(1)

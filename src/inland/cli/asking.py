"""Asking whoever sits at the terminal before what nothing brings back."""

import sys

import typer

from inland.cli.failures import Failed


def demand_yes(question: str, *, yes: bool) -> None:
    """Go on if `--yes` was said or the person says so. Raises Failed, and Abort on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failed("this cannot be undone, and there is nobody to ask here: say --yes")
    typer.confirm(question, abort=True)

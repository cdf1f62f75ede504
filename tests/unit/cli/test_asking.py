"""What nothing brings back is done by who said yes, and by nobody else."""

import io
import sys

import pytest

from inland.cli.app import run
from inland.cli.asking import demand_yes
from inland.cli.failures import INTERRUPTED, Failed


class Terminal(io.StringIO):
    """Where somebody sits."""

    def isatty(self) -> bool:
        return True


def test_where_nobody_sits_the_option_must_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(Failed, match="say --yes"):
        demand_yes("Sure?", yes=False)
    demand_yes("Sure?", yes=True)


def test_a_no_stops_the_command_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    with pytest.raises(SystemExit) as ended:
        run(["asset", "erase", "0" * 32])
    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr().err.splitlines()[-1] == "inland: stopped"

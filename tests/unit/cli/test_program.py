"""What is printed for a person to paste works from where that person stands."""

import shutil
import sys
from pathlib import Path

import pytest

from inland.adapters.home.layout import Home
from inland.cli.deploy import read_token
from inland.cli.factory import home_of, own_key
from inland.cli.failures import Failed
from inland.cli.files import put_whole
from inland.cli.greeting import greeting
from inland.cli.program import call, program
from inland.cli.reached import Reached
from inland.cli.show import field, rows
from inland.cli.starting import stop_limit_s


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This program, where no shell finds it."""
    path = tmp_path / "clone" / ".venv" / "bin" / "inland"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return path


def test_a_program_off_the_path_is_called_by_its_path(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "clone")
    assert program() == ".venv/bin/inland"
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "argv", [str(own)])
    assert program() == str(own)[1:]
    monkeypatch.chdir(own.parent / "..")
    assert program() == "bin/inland"


def test_a_program_on_the_path_is_called_by_its_name(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: str(own))
    assert program() == "inland"
    other = own.with_name("other")
    other.write_text("")
    monkeypatch.setattr(shutil, "which", lambda _: str(other))
    assert program() != "inland"


def test_the_usual_home_is_not_named_and_any_other_is_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INLAND_HOME", "/usual")
    assert call("down", Path("/usual")) == "inland down"
    assert call("down", Path("/my homes/a")) == "inland down --home '/my homes/a'"


def test_the_greeting_calls_the_program_as_it_was_called(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "clone")
    text = greeting(
        Home(tmp_path / "h"), at=Reached("http://x"), site="s", keys={"demo": "inl_k"}, model="m"
    )
    called = [line for line in text.splitlines() if "inland " in line and " --home " in line]
    assert len(called) == 3
    assert all(".venv/bin/inland " in line for line in called)


def test_tables_are_folded_for_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    rows([{"a": "x" * 200, "b": "y"}], [("A", field("a")), ("B", field("b"))], json_too=False)
    told = capsys.readouterr().out
    assert "x" * 200 in told
    assert len(told.splitlines()) == 2


def test_what_is_no_key_or_token_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    for wrong in (b"\xff\xfe", b"", b" \n", b"x" * 10_000):
        token.write_bytes(wrong)
        with pytest.raises(Failed):
            read_token(token)
    for key in ("inl_ä", "inl_a\nb"):
        monkeypatch.setenv("INLAND_API_KEY", key)
        with pytest.raises(Failed):
            own_key()


def test_an_output_in_no_folder_is_said_by_its_folder(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="none is not a folder"):
        put_whole(tmp_path / "none" / "receipt.json", b"{}")


def test_stopping_is_given_what_the_operator_gives_answers(tmp_path: Path) -> None:
    home = Home(tmp_path)
    usual = stop_limit_s(home)
    home.factory_toml.write_text('[site]\njurisdiction = "ZZ"\n[limits]\ndrain_s = 600\n')
    assert stop_limit_s(home) == usual - 30 + 600


def test_a_link_to_a_home_is_that_home(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert home_of(tmp_path / "link") == home_of(tmp_path / "disk")
    assert home_of(tmp_path / "link" / "not-yet").root == tmp_path / "disk" / "not-yet"

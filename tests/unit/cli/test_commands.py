"""The command line itself: one line for every error, every option where it belongs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from inland.cli import app as commands
from inland.cli.failures import describe, describe_fault
from inland.cli.key import expiry
from inland.cli.receipt import checkpoint_size
from inland.domain.errors import BadInput, InlandError

NEEDS_A_FACTORY = [
    ["status"],
    ["down"],
    ["usage", "--tenant", "demo"],
    ["tenant", "list"],
    ["tenant", "add", "x"],
    ["tenant", "suspend", "x"],
    ["tenant", "resume", "x"],
    ["key", "list"],
    ["key", "add", "--tenant", "x"],
    ["key", "revoke", "x"],
    ["deploy", "list"],
    ["deploy", "show", "x"],
    ["deploy", "measure", "x"],
    ["deploy", "add", "x", "--model", "m"],
    ["deploy", "remove", "x"],
    ["contract", "add", "--tenant", "x", "--deployment", "x", "--tokens-per-second", "0"],
    ["contract", "list"],
    ["contract", "remove", "x"],
    ["contract", "report"],
    ["contract", "report", "-o", "never"],
    ["policy", "explain", "x"],
    ["receipt", "get", "x", "-o", "never"],
    ["receipt", "open", "x"],
    ["record", "export", "--tenant", "x", "-o", "never"],
    ["process", "revive", "x"],
    ["line", "list"],
    ["line", "show", "x"],
    ["line", "run", "x"],
    ["line", "pause", "x"],
    ["run", "list"],
    ["run", "show", "x"],
    ["run", "logs", "x"],
    ["run", "resume", "x"],
    ["run", "cancel", "x"],
    ["budget", "list"],
    ["budget", "set", "--tenant", "x", "--tokens", "1", "--period", "day"],
    ["budget", "remove", "--tenant", "x", "--period", "day"],
    ["price", "list"],
    ["price", "set", *"--deployment x --prompt 1 --completion 1 --currency EUR".split()],
    ["invoice", "--tenant", "x", "--month", "2026-01"],
]


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        commands.run(list(words))
    told = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, told.out, told.err


@pytest.mark.parametrize("words", NEEDS_A_FACTORY, ids=" ".join)
def test_commands_say_in_one_line_that_no_factory_runs(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _run(capsys, *words, "--home", str(tmp_path))
    assert code == 1
    assert out == ""
    assert "no factory runs" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["up", "--nonsense"], ["tenant", "add"], ["verify"], ["up", "--port", "x"]],
)
def test_wrong_words_are_one_line_and_exit_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(capsys, *words)
    assert code == 2
    assert len(err.splitlines()) == 1


def test_every_command_takes_home_and_json() -> None:
    def leaves(command: object, path: str) -> dict[str, object]:
        inside = getattr(command, "commands", None)
        if inside is None:
            return {path: command}
        return {
            k: v for name, sub in inside.items() for k, v in leaves(sub, f"{path} {name}").items()
        }

    found = leaves(get_command(commands.app), "inland")
    assert len(found) > 20
    for path, command in found.items():
        options = {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]
        assert {"--home", "--json"} <= options, path


def test_an_error_nobody_foresaw_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(commands, "app", fail)
    code, _, err = _run(capsys, "status")
    assert code == 70
    assert "RuntimeError: first" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "--money 5",
        "--currency EUR",
        "--money 5 --currency tokens",
        "--tokens 5 --currency EUR",
        "--tokens 5 --money 5 --currency EUR",
    ],
)
def test_a_budget_is_in_tokens_or_in_money(
    amount: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"budget set --tenant x --period day {amount}".split()
    code, _, err = _run(capsys, *words, "--home", str(tmp_path))
    assert code == 1
    assert "give --tokens N, or --money AMOUNT --currency CODE" in err


def test_errors_of_the_system_are_said_in_words() -> None:
    assert describe(OSError(28, "No space left on device", "/d/f"))[0].startswith("no space left")
    assert "/d/f" in describe(PermissionError(13, "Permission denied", "/d/f"))[0]
    assert describe(InlandError("a\nb"))[0] == "a b"
    assert describe(BadInput("a", "\x1b[31mb\x07\u202ec"))[0] == "a: [31mb c"
    assert "ValueError" in describe_fault(ValueError("x"))


def test_help_stays_quick_because_commands_import_when_they_run() -> None:
    script = (
        "import sys; import inland.cli.app; "
        "print([m for m in ('httpx', 'rich.table', 'cryptography', 'cedarpy', 'msgspec', "
        "'sqlalchemy', 'fastapi') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert told.stdout.strip() == "[]"


def test_keys_end_after_a_span_or_at_a_date() -> None:
    assert expiry("12h", 1000) == 1000 + 12 * 3600
    assert expiry("2030-01-01", 1000) == 1893456000
    assert expiry("2030-01-01T00:00+01:00", 1000) == 1893456000 - 3600
    for wrong in ("", "0d", "tomorrow", "1999-01-01", "12"):
        with pytest.raises(BadInput):
            expiry(wrong, 1_600_000_000)


def test_the_size_of_a_kept_checkpoint_is_its_second_line() -> None:
    assert checkpoint_size("origin\n123\nhash\n\nsig\n", Path("f")) == 123
    for wrong in ("", "origin\n-1\nh\n", "origin\n1e3\nh\n", "origin"):
        with pytest.raises(InlandError):
            checkpoint_size(wrong, Path("f"))


def test_policies_are_checked_without_a_factory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from inland.cli.first_start import _policies

    for name, text in _policies().items():
        (tmp_path / name).write_text(text)
    assert _run(capsys, "policy", "check", str(tmp_path))[0] == 0
    (tmp_path / "bad.cedar").write_text("permit (principal, action resource);")
    code, out, _ = _run(capsys, "policy", "check", str(tmp_path), "--json")
    assert code == 1
    told = json.loads(out)
    assert told["ok"] is False
    assert "bad.cedar" in told["problems"][0]
    assert _run(capsys, "policy", "check", str(tmp_path / "none"))[0] == 1


def test_a_set_from_before_there_were_assets_is_told_so_and_given_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "own"
    assert _run(capsys, "policy", "defaults", str(folder))[0] == 0
    assert (folder / "use.cedar").read_text().startswith("// Who may use which model")
    (folder / "use.cedar").write_text('@id("any") permit (principal, action, resource);')
    (folder / "assets.cedar").unlink()
    code, out, _ = _run(capsys, "policy", "check", str(folder))
    assert code == 0
    assert "add assets.cedar" in out
    code, out, _ = _run(capsys, "policy", "defaults", str(folder), "--json")
    assert json.loads(out) == {"written": ["assets.cedar"]}
    assert (folder / "use.cedar").read_text().startswith("@id"), "what is there is left alone"
    told = json.loads(_run(capsys, "policy", "check", str(folder), "--json")[1])
    assert (told["ok"], told["missing"]) == (True, [])
    assert _run(capsys, "policy", "defaults", str(folder / "use.cedar"))[0] == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--site", "EU"], "EU"),
        (["--site", "germany"], "germany"),
        (["--model-wheel", "/none.whl"], "/none.whl"),
        (["--offline"], "--model-wheel"),
        (["--port", "70000"], "port"),
        (["--gateways", "0"], "gateways"),
    ],
)
def test_a_first_start_that_is_refused_makes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    named: str,
) -> None:
    monkeypatch.setenv("INLAND_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    given = words if "--port" in words else [*words, "--port", "0"]
    code, _, err = _run(capsys, "up", "--detach", "--offline", "--home", str(home), *given)
    assert code in {1, 2}
    assert named in err
    assert len(err.splitlines()) == 1
    assert not home.exists()
    assert [path.name for path in tmp_path.iterdir()] in ([], ["cache"])

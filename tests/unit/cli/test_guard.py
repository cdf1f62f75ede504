"""`inland guard test` shows on a file what would be found, where it stands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def _asked(*words: str) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "inland", "guard", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_it_says_what_stands_where(tmp_path: Path):
    file = tmp_path / "some.txt"
    file.write_text("One ４１１１ 1111 1111 1111\n and sk-abc, 1234 5678 9018.\n", "utf-8")
    code, out = _asked("test", str(file), "--json")
    assert code == 0
    found = json.loads(out)
    assert [(one["line"], one["column"], one["rule"]) for one in found] == [
        (1, 5, "card"),
        (2, 14, "my-number"),
    ]
    assert found[0]["text"] == "４１１１ 1111 1111 1111"
    _, out = _asked("test", str(file), "--pattern", "sk-[a-z]+", "--json")
    assert [one["text"] for one in json.loads(out)] == ["sk-abc"]


@pytest.mark.parametrize(
    ("words", "why"),
    [(["--find", "nobody"], "there is no recogniser"), (["--pattern", "^a"], "whole text")],
)
def test_what_cannot_be_looked_for_is_said(words: list[str], why: str, tmp_path: Path):
    (tmp_path / "some.txt").write_text("x", "utf-8")
    code, out = _asked("test", str(tmp_path / "some.txt"), *words)
    assert code != 0
    assert why in out

"""The verifier that an auditor takes away: alone, small, and run as a person would run it."""

import ast
import json
import subprocess
import sys

import pytest

from tests.unit.ledger import example
from tests.unit.ledger.verifiers import FILE
from tests.unit.ledger.write_examples import FOLDER

ALONE = ["receipt.json", "--vkey", "log.vkey"]
TEXTS = ["--input", "input.json", "--output", "output-0.txt", "--output", "output-1.txt"]
ENTRY = example.entries(example.site().tenant_records["demo"])[1].hex()
WHOLE = [*ALONE, "--entry", ENTRY, "--key", "record-key", *TEXTS, "--kept", "kept-checkpoint"]


def run(*arguments):
    """Run the file in isolated mode (no PYTHONPATH, no current folder) beside the examples."""
    return subprocess.run(
        [sys.executable, "-I", FILE, *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("name", example.published())
def test_the_published_example_is_what_the_code_writes(name):
    assert (FOLDER / name).read_bytes() == example.published()[name]


def test_it_is_one_short_file_that_needs_only_cryptography():
    source = FILE.read_text()
    assert len(source.splitlines()) < 450
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    outside = {name.split(".")[0] for name in imported} - sys.stdlib_module_names
    assert outside == {"cryptography"}


def test_it_says_what_was_proved():
    done = run(*WHOLE)
    assert (done.returncode, done.stderr) == (0, "")
    for said in (example.ORIGIN, "demo", "smollm2-135m-instruct", "complete", ENTRY, "2025-10-09"):
        assert said in done.stdout
    assert "PROVED" in done.stdout.splitlines()[0]


def test_it_says_it_to_programs():
    done = run(*WHOLE, "--json")
    proved = json.loads(done.stdout)
    assert proved["compared"] == ["entry", "input", "output", "kept"]
    assert (proved["log"], proved["size"]) == (example.ORIGIN, example.LOG_SIZE)
    assert (proved["prompt_tokens"], proved["completion_tokens"]) == (31, 22)


def test_the_key_may_be_given_as_digits():
    key = example.record_key().hex()
    assert run(*ALONE, "--key", key, "--input", "input.json").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["gone.json", "--vkey", "log.vkey"],
        ["receipt.json", "--vkey", "gone"],
        ["receipt.json", "--vkey", "input.json"],
        ["input.json", "--vkey", "log.vkey"],
        ["log.vkey", "--vkey", "log.vkey"],
        [".", "--vkey", "log.vkey"],
        [*ALONE, "--entry", "0" * 64],
        [*ALONE, "--key", "0" * 64, "--input", "input.json"],
        [*ALONE, "--key", "a" * 5000, "--input", "input.json"],
        [*ALONE, "--key", "input.json", "--input", "input.json"],
        [*ALONE, "--key", "record-key", "--input", "output-0.txt"],
        [*ALONE, "--key", "record-key", "--input", "gone"],
        [*ALONE, "--key", "record-key", "--output", "output-0.txt"],
        [*ALONE, "--kept", "receipt.json"],
        [*ALONE, "--kept", "gone"],
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_a_refusal_is_one_line_and_exit_1(arguments):
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.startswith("REFUSED: ")
    assert len(done.stdout.splitlines()) == 1


def test_a_record_cannot_speak_to_the_terminal(tmp_path):
    """What an operator wrote into a record is shown escaped."""
    from inland.ledger import receipts

    record = {**example.change(0), "subject": "\x1b[2J\u202eevil"}
    data = receipts.build([example.link([record], 0)], example.checkpoint([record]))
    (tmp_path / "receipt.json").write_bytes(data)
    done = run(str(tmp_path / "receipt.json"), "--vkey", "log.vkey")
    assert done.returncode == 0
    assert "evil" in done.stdout
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
